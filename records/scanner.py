"""A client of clamd, ClamAV's daemon: one INSTREAM command, given its bytes while they arrive (clamd(8)).

clamav-client is not fit for that: it wants to read from a file, in pieces of 1 KiB, and would hold up the
encryption that reads the same stream. The protocol is a length and bytes.
"""

import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from chain.support.aside import step_aside

_ANSWER_MAX = 4096


class ScannerFailed(Exception):
    """The scanner cannot be reached, takes too long, or answers something else."""


class ScannerLimit(ScannerFailed):
    """The file is larger than the scanner takes (its StreamMaxLength)."""


class BadUrl(ValueError):
    """Not tcp://host:port or unix:///path."""


def parse_url(url: str) -> tuple[str, int] | str:
    """(host, port), or the path of a socket. Raises BadUrl."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "tcp" and parts.hostname and not parts.path.strip("/"):
            return parts.hostname, parts.port or 3310
    except ValueError as error:
        raise BadUrl(url) from error
    if parts.scheme == "unix" and not parts.netloc and len(parts.path) > 1:
        return parts.path
    raise BadUrl(url)


class Scan:
    """One file being scanned: `feed` its bytes, then ask `finding`. To be used in a `with`."""

    def __init__(self, url: str, timeout: float) -> None:
        """Connect. Each step may take `timeout` seconds. Raises ScannerFailed, BadUrl."""
        with step_aside():
            self._socket = _connect(url, timeout)
        self._send(b"zINSTREAM\0")

    def feed(self, data: bytes | memoryview) -> None:
        """More bytes of the file. Raises ScannerFailed."""
        if data:
            self._send(len(data).to_bytes(4, "big"))
            self._send(data)

    def finding(self) -> str:
        """The name of what was found; empty: nothing. Raises ScannerFailed."""
        self._send(bytes(4))
        with step_aside():
            answer = _read(self._socket)
        if answer == "stream: OK":
            return ""
        if answer.endswith(" FOUND"):
            return answer.removeprefix("stream: ").removesuffix(" FOUND")
        raise _failure(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _send(self, data: bytes | memoryview) -> None:
        try:
            with step_aside():
                self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _failure(_last_words(self._socket)) from error
        except OSError as error:
            raise ScannerFailed(str(error)) from error


def ping(url: str, timeout: float) -> None:
    """Raise ScannerFailed unless the scanner answers."""
    with _connect(url, timeout) as connection:
        try:
            connection.sendall(b"zPING\0")
        except OSError as error:
            raise ScannerFailed(str(error)) from error
        if _read(connection) != "PONG":
            raise ScannerFailed("another answer than PONG")


def _connect(url: str, timeout: float) -> socket.socket:
    place = parse_url(url)
    connection = None
    try:
        if isinstance(place, tuple):
            return socket.create_connection(place, timeout)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.connect(place)
    except OSError as error:
        if connection is not None:
            connection.close()
        raise ScannerFailed(str(error)) from error
    return connection


def _read(connection: socket.socket) -> str:
    """clamd's answer, up to its zero byte."""
    answer = b""
    try:
        while not answer.endswith(b"\0") and len(answer) < _ANSWER_MAX:
            piece = connection.recv(_ANSWER_MAX)
            if not piece:
                break
            answer += piece
    except OSError as error:
        raise ScannerFailed(str(error)) from error
    return answer.rstrip(b"\0\n").decode("utf-8", "replace")


def _last_words(connection: socket.socket) -> str:
    """Why clamd hung up, where it still says so."""
    try:
        return _read(connection)
    except ScannerFailed:
        return ""


def _failure(answer: str) -> ScannerFailed:
    if "size limit exceeded" in answer:
        return ScannerLimit(answer)
    return ScannerFailed(answer or "it hung up")
