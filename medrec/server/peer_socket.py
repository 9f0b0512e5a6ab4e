"""A client's socket: a thread that waits on it lets other requests run, and waits for no dawdler."""

import errno
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from medrec.server.turns import TurnPool

PATIENCE_SECONDS = 60.0
"""How long a request waits for its client at a time, and how far it falls behind LEAST_PACE in all."""
LEAST_PACE = 1024.0
"""Bytes a second that a client has to take or send, while it is waited for."""
BRIEF_SECONDS = 1.0
"""A wait that is longer closes the thread's database connections."""

Outcome = TypeVar("Outcome")


class PeerSocket(socket.socket):
    """A connection whose blocking calls give the request's turn away (TurnPool.waiting).

    The descriptor itself never blocks. What `settimeout` was told is kept here: None is a blocking socket.
    Raises ConnectionResetError where the client lets PATIENCE_SECONDS pass without a byte, or is slower than
    LEAST_PACE for longer than that.
    """

    def __init__(
        self, accepted: socket.socket, peer: str, turns: TurnPool, long_wait: Callable[[], None]
    ) -> None:
        """Take over an accepted connection. `long_wait` runs in a thread that waits for longer."""
        kind = (accepted.family, accepted.type, accepted.proto)
        super().__init__(*kind, fileno=accepted.detach())
        super().setblocking(False)
        self._limit: float | None = 0.0
        self.peer, self._turns, self._long_wait = peer, turns, long_wait
        self._is_cut = False
        self.expect_request()

    def expect_request(self) -> None:
        """Begin to measure the client's pace anew."""
        self._patience = PATIENCE_SECONDS
        self._moved, self._waited = 0, 0.0

    def setblocking(self, flag: bool) -> None:
        """Say whether calls wait."""
        self._limit = None if flag else 0.0

    def settimeout(self, value: float | None) -> None:
        """Say how long each call waits."""
        self._limit = value

    def gettimeout(self) -> float | None:
        """Return how long each call waits. None is without end, 0 not at all."""
        return self._limit

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Read what is there, or wait for it."""
        data = self._wait_until(select.POLLIN, lambda: super(PeerSocket, self).recv(bufsize, flags))
        self._count(len(data))
        return data

    def send(self, data: Any, flags: int = 0) -> int:
        """Write what there is room for, or wait for room."""
        size = self._wait_until(select.POLLOUT, lambda: super(PeerSocket, self).send(data, flags))
        self._count(size)
        return size

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Write everything."""
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send(view, flags) :]

    def pace(self) -> float:
        """Return the bytes a second that the client moved while it was waited for."""
        return self._moved / (self._waited + 1.0)

    def cut(self) -> None:
        """End the connection: what waits on it wakes up."""
        self._is_cut = True
        with suppress(OSError):  # it has ended already
            self.shutdown(socket.SHUT_RDWR)

    def _count(self, size: int) -> None:
        self._moved += size
        self._patience = min(self._patience + size / LEAST_PACE, PATIENCE_SECONDS)

    def _wait_until(self, event: int, call: Callable[[], Outcome]) -> Outcome:
        while True:
            try:
                return call()
            except BlockingIOError:
                if self._limit == 0.0:
                    raise
            self._wait(event)

    def _wait(self, event: int) -> None:
        limit = self._patience if self._limit is None else min(self._limit, self._patience)
        with self._turns.waiting(self):  # what the next turn takes is not the client's fault
            began = time.monotonic()
            ready = self._poll(event, max(limit, 0.0))
            waited = time.monotonic() - began
        self._waited += waited
        self._patience -= waited
        if not ready and self._limit is not None:
            raise TimeoutError("the caller's time is up")
        if not ready or self._is_cut:
            raise ConnectionResetError(errno.ECONNRESET, "the client is too slow")

    def _poll(self, event: int, limit: float) -> bool:
        poll = select.poll()
        poll.register(self, event)
        if poll.poll(min(limit, BRIEF_SECONDS) * 1000):
            return True
        if limit <= BRIEF_SECONDS:
            return False
        self._long_wait()
        return bool(poll.poll((limit - BRIEF_SECONDS) * 1000))
