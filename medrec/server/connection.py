"""Reads before a thread is taken: all of a small request, the beginning of a large one.

Framing is gunicorn's. What is said here only decides when its parser begins.
"""

import re
import time
from enum import Enum, auto
from typing import Any

from gunicorn.workers.gthread import TConn

from medrec.server.peer_socket import PeerSocket

HEADER_SECONDS = 15.0
"""How long a client may take for the lines before the body."""
BODY_SECONDS = 60.0
"""How long it may take for the first BODY_AHEAD bytes of the body."""
HEADER_MAX = 64 * 1024
BODY_AHEAD = 64 * 1024

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_EXPECT = re.compile(rb"^expect:", re.IGNORECASE | re.MULTILINE)
_FORWARDED = re.compile(rb"^x-forwarded-for:[^\r\n]*?([^\s,]+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_PROBE = re.compile(rb"(GET|HEAD) /healthz HTTP/1\.[01]\r\n")


class Stage(Enum):
    """How much of a request is here."""

    HEADER = auto()
    BODY = auto()
    READY = auto()  # a thread may begin
    PROBE = auto()  # GET or HEAD of /healthz
    TOO_LONG = auto()  # the lines before the body have no end


class Connection(TConn):  # type: ignore[misc]
    """A connection with what was read ahead of its next request."""

    sock: PeerSocket

    def __init__(self, cfg: Any, sock: PeerSocket, client: Any, server: Any) -> None:
        """Wait for the first request."""
        super().__init__(cfg, sock, client, server)
        self.data_ready = True  # a thread that begins does not wait once more
        self.deadline = time.monotonic() + HEADER_SECONDS
        self.ahead = bytearray()
        self.is_closing = False
        self.bytes_to_discard = 0
        self._searched, self._body_at, self._body_end = 0, 0, 0

    def expect_request(self, deadline: float) -> None:
        """Wait for the next request. Its beginning may be here already."""
        self.sock.setblocking(False)
        self.sock.expect_request()
        self.ahead = bytearray(self.parser.unreader.take_buffered())
        self.deadline = time.monotonic() + HEADER_SECONDS if self.ahead else deadline
        self._searched, self._body_at = 0, 0

    def take(self, data: bytes) -> None:
        """Add what has come."""
        if not self.ahead:
            self.deadline = time.monotonic() + HEADER_SECONDS
        self.ahead += data

    def stage(self) -> Stage:
        """Return how much of the next request is here."""
        if not self._body_at:
            end = self.ahead.find(_END, self._searched, HEADER_MAX)
            self._searched = max(len(self.ahead) - len(_END) + 1, 0)
            if end < 0:
                return Stage.TOO_LONG if len(self.ahead) >= HEADER_MAX else Stage.HEADER
            if _PROBE.match(self.ahead):
                return Stage.PROBE
            self._look_at_header(end + len(_END))
        return Stage.READY if len(self.ahead) >= self._body_end else Stage.BODY

    def forwarded_for(self) -> str:
        """Return the client that a proxy names, the last one. Empty where it names none."""
        return last_forwarded(bytes(self.ahead[: self._body_at]))

    def begin(self) -> None:
        """Hand what was read ahead to gunicorn's parser. In the thread of the request."""
        self.init()
        self.sock.setblocking(True)
        self.parser.unreader.unread(bytes(self.ahead))
        self.ahead = bytearray()

    def _look_at_header(self, body_at: int) -> None:
        """Note where the body begins and how much of it to wait for."""
        header = bytes(self.ahead[:body_at])
        length = _LENGTH.search(header)
        wanted = min(int(length[1]), BODY_AHEAD) if length else 0
        if _CHUNKED.search(header) or _EXPECT.search(header):
            wanted = 0  # no length is said, or the client sends its body when it is told to
        self._body_at, self._body_end = body_at, body_at + wanted
        if wanted:
            self.deadline = time.monotonic() + BODY_SECONDS


def last_forwarded(header: bytes) -> str:
    """Return the last address in X-Forwarded-For: the one that the proxy has put there itself."""
    addresses = _FORWARDED.findall(header)
    return addresses[-1].decode("latin-1") if addresses else ""
