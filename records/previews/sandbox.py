"""Asking the decoder: one process beside each web process, started at the first question."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from chain.support.aside import step_aside
from records.previews.errors import CannotShow, NoSuchFrame, TooBusy
from records.previews.remote_file import MESSAGE, NO_FRAME, READ, READ_MAX, REFUSED, WALL_SECONDS, receive

ReadAt = Callable[[int, int], Iterable[bytes]]
"""(offset, length) -> exactly that many bytes of the file, in pieces."""

AT_ONCE = 2
BUSY_SECONDS = 15.0
ANSWER_MAX = 128 * 1024 * 1024
PROJECT = Path(__file__).resolve().parents[2]
ENDED = (
    "This picture could not be decoded in the time and memory there is for it. Save the file to look at it."
)
BUSY = "Too many pictures are being decoded just now. Try again in a moment."


class Decoder:
    """The decoding process of this process, shared by its threads. Started anew when it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, what: str, *, size: int, read_at: ReadAt, **more: Any) -> bytes:
        """The answer to a question about a file of `size` bytes, which is read through `read_at`.

        Raises CannotShow, NoSuchFrame, TooBusy, and whatever `read_at` raises.
        """
        with step_aside():  # two are decoded at once, however many requests ask
            return self._ask_in_turn(what, size, read_at, more)

    def _ask_in_turn(self, what: str, size: int, read_at: ReadAt, more: dict[str, Any]) -> bytes:
        if not self._places.acquire(timeout=BUSY_SECONDS):
            raise TooBusy(BUSY)
        try:
            with self._connected() as channel:
                question = json.dumps({"what": what, "size": size, **more}).encode()
                channel.sendall(len(question).to_bytes(4, "big") + question)
                return _attend(channel, size, read_at)
        except (ConnectionError, TimeoutError) as error:
            raise CannotShow(ENDED) from error
        finally:
            self._places.release()

    def _connected(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            for _ in range(2):
                try:
                    with self._lock:
                        socket.send_fds(self._running(), [b"?"], [theirs.fileno()])
                    return ours
                except ConnectionError:
                    self._control = None  # it has died: the next try starts another
        ours.close()
        raise CannotShow(ENDED)

    def _running(self) -> socket.socket:
        """The socket to the process. One that a parent of this process started is not ours."""
        if self._control is None or self._owner != os.getpid():
            self._control, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "records.previews.decoder"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=PROJECT,
                    env={"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},
                    start_new_session=True,
                )
            self._owner = os.getpid()
        return self._control


def _attend(channel: socket.socket, size: int, read_at: ReadAt) -> bytes:
    """Hand out the parts of the file that are asked for, until the answer comes."""
    until = time.monotonic() + WALL_SECONDS
    while True:
        channel.settimeout(max(until - time.monotonic(), 0.01))
        letter, first, second = MESSAGE.unpack(receive(channel, MESSAGE.size))
        if letter == READ:
            if second > READ_MAX or first + second > size:
                raise CannotShow(ENDED)
            for piece in read_at(first, second):
                channel.sendall(piece)
            continue
        if first > ANSWER_MAX:
            raise CannotShow(ENDED)
        body = receive(channel, first)
        if letter in (REFUSED, NO_FRAME):
            raise (NoSuchFrame if letter == NO_FRAME else CannotShow)(body.decode(errors="replace"))
        return body


decoder = Decoder()
