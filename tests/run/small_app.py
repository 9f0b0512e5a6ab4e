"""A WSGI application for the web server's tests: echoes, streams, and says where it is.

With IMPATIENT set, clients get a second instead of a minute. With NARROW set, few of them may wait.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from medrec.server import connection, peer_socket, worker

if "IMPATIENT" in os.environ:
    connection.HEADER_SECONDS = connection.BODY_SECONDS = peer_socket.PATIENCE_SECONDS = 1.0
if "NARROW" in os.environ:
    worker.MOST_WAITING = 4

PIECE = bytes(64 * 1024)
_lock = threading.Lock()
events: list[str] = []


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer by path."""
    return ANSWERS[environ["PATH_INFO"]](environ, start)


def _plain(start: Callable[..., Any], body: bytes) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _health(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    del environ
    return _plain(start, b"alive")


def _echo(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    return _plain(start, environ["wsgi.input"].read())


def _receive(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """Read the body by pieces. Note when it begins and how it ends."""
    _note("receiving")
    size = 0
    try:
        while piece := environ["wsgi.input"].read(len(PIECE)):
            size += len(piece)
    except OSError as error:
        _note(f"broken: {type(error).__name__}")
        raise
    _note("received")
    return _plain(start, str(size).encode())


def _stream(environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
    """Send as many pieces of 64 KiB as the query says."""
    count = int(environ["QUERY_STRING"])
    start("200 OK", [("Content-Length", str(count * len(PIECE)))])
    _note("sending")
    try:
        for _ in range(count):
            yield PIECE
    finally:
        _note("sent")


def _events(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    del environ
    return _plain(start, "\n".join(events).encode())


def _threads(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    del environ
    return _plain(start, str(threading.active_count()).encode())


def _work(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    del environ
    time.sleep(0.2)
    return _plain(start, b"done")


def _note(event: str) -> None:
    with _lock:
        events.append(event)


ANSWERS = {
    "/healthz": _health,
    "/echo": _echo,
    "/receive": _receive,
    "/stream": _stream,
    "/events": _events,
    "/threads": _threads,
    "/work": _work,
}
