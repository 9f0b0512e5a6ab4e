"""gunicorn's thread worker, which reads ahead: a client that says nothing, or little, holds no thread.

gthread gives each new connection a thread at once, so a few hundred silent ones stop it, and closes
connections in its main loop, where each may take two seconds. Here the main loop waits for whole requests,
answers `/healthz` by itself, and lingers on closing connections. Nothing is written to a disk.
"""

import errno
import resource
import socket
import sys
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from django.conf import settings
from django.db import connections
from gunicorn.workers.gthread import ThreadWorker

from chain.support.aside import set_step_aside
from medrec.server.connection import Connection, Stage
from medrec.server.peer_socket import PeerSocket
from medrec.server.probe import Probe
from medrec.server.turns import TurnPool

MOST_WAITING = 64
"""Requests of one process that may wait for their clients at one time."""
SWEEP_SECONDS = 0.5
CLOSING_SECONDS = 2.0
CLOSING_BYTES = 1024 * 1024
PIECE = 64 * 1024
FILES = 16_384
"""File descriptors, where the system allows as many."""
NONE_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
REFUSALS = {
    408: ("Request Timeout", "The request did not come to its end in time. Please send it again."),
    431: ("Request Header Fields Too Large", "The lines before the request's body are too long."),
    503: ("Service Unavailable", "The portal has too much to do now. Please try again in a moment."),
}


class ReadAheadWorker(ThreadWorker):  # type: ignore[misc]
    """A gthread worker that takes a thread for a request, not for a connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Read the settings as gthread does."""
        super().__init__(*args, **kwargs)
        self.most_connections = self.cfg.worker_connections
        self.most_requests = self.most_connections * 3 // 4
        self.worker_connections = sys.maxsize  # never stop accepting: the oldest that waits gives way
        self.cfg.set("sendfile", False)  # it would wait in the system, out of our hands
        self._reading: dict[Connection, None] = {}  # oldest first
        self._next_sweep = 0.0

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what cannot be read ahead. Raises RuntimeError."""
        super().check_config(cfg, log)
        if cfg.is_ssl or cfg.protocol != "http":
            raise RuntimeError(
                "TLS and other protocols are a matter of a proxy in front (docs/OPERATIONS.md)"
            )

    def get_thread_pool(self) -> TurnPool:
        """Return the threads of this process."""
        return TurnPool(self.cfg.threads, MOST_WAITING, connections.close_all, is_in_transaction)

    def init_process(self) -> None:
        """Allow as many connections as there may be, and start."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        super().init_process()

    def run(self) -> None:
        """Serve until told to stop."""
        self._probe = Probe(self.wsgi)
        super().run()

    def accept(self, listener: Any) -> None:
        """Take a connection and wait for its request."""
        if self.nr_conns >= self.most_connections:
            self._drop_oldest()
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in NONE_LEFT:
                self._drop_oldest()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        address = str(client[0]) if isinstance(client, tuple) else ""
        peer = PeerSocket(accepted, address, self.tpool, close_unused_connections)
        self._read_on(Connection(self.cfg, peer, client, listener.getsockname()))

    def handle(self, conn: Connection) -> Any:
        """Answer a request, in a thread."""
        set_step_aside(self.tpool.aside)
        conn.begin()
        return super().handle(conn)

    def finish_request(self, conn: Connection, fs: "Future[Any]") -> None:
        """Wait for the connection's next request, or close it."""
        if fs.exception() is not None or not fs.result():
            self._linger(conn)
            return
        patience = self.cfg.keepalive if self.alive else min(self.cfg.keepalive, CLOSING_SECONDS)
        conn.expect_request(time.monotonic() + patience)
        self._read_on(conn)
        if conn.ahead:
            self._go_on(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close the connections whose time is up, or all that wait."""
        now = time.monotonic()
        if now < self._next_sweep and not force:
            return
        self._next_sweep = now + SWEEP_SECONDS
        for conn in [conn for conn in self._reading if force or conn.deadline < now]:
            if conn.ahead and not conn.is_closing:
                self._refuse(conn, 408)
            else:
                self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Let no connection that waits live longer than this."""
        for conn in self._reading:
            conn.deadline = min(conn.deadline, deadline)

    def _read_on(self, conn: Connection) -> None:
        self._reading[conn] = None
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _stop_reading(self, conn: Connection) -> None:
        del self._reading[conn]
        self.poller.unregister(conn.sock)

    def _on_readable(self, conn: Connection, sock: PeerSocket) -> None:
        """Take what has come."""
        if conn not in self._reading:
            return  # it gave way to another one in this round
        try:
            data = sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn)
        elif conn.is_closing:
            self._discard(conn, data)
        else:
            conn.take(data)
            self._go_on(conn)

    def _go_on(self, conn: Connection) -> None:
        """Do what the bytes that are here allow."""
        stage = conn.stage()
        if stage is Stage.READY and self.nr_conns - len(self._reading) >= self.most_requests:
            self._refuse(conn, 503)
        elif stage is Stage.READY:
            self._stop_reading(conn)
            if settings.BEHIND_PROXY:
                conn.sock.peer = conn.forwarded_for() or conn.sock.peer
            self.enqueue_req(conn)
        elif stage is Stage.PROBE:
            self._end_with(conn, self._probe.answer(conn.ahead))
        elif stage is Stage.TOO_LONG:
            self._refuse(conn, 431)

    def _refuse(self, conn: Connection, status: int) -> None:
        """Answer what never reaches the application."""
        reason, words = REFUSALS[status]
        lines = [
            f"HTTP/1.1 {status} {reason}",
            "Connection: close",
            "Content-Type: text/plain; charset=utf-8",
        ]
        lines += [
            "X-Content-Type-Options: nosniff",
            "Cache-Control: no-store",
            f"Content-Length: {len(words)}",
        ]
        lines += ["Retry-After: 5"] * (status == 503)
        self._end_with(conn, "\r\n".join([*lines, "", words]).encode())

    def _end_with(self, conn: Connection, answer: bytes) -> None:
        """Send an answer that fits into the socket, and close."""
        self._stop_reading(conn)
        with suppress(OSError):  # the client has gone
            conn.sock.send(answer)
        self._linger(conn)

    def _linger(self, conn: Connection) -> None:
        """Close so that the client still gets what was sent (RFC 9112, section 9.6)."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        conn.is_closing = True
        conn.ahead = bytearray()
        conn.bytes_to_discard = CLOSING_BYTES
        conn.deadline = time.monotonic() + CLOSING_SECONDS
        self._read_on(conn)

    def _discard(self, conn: Connection, data: bytes) -> None:
        conn.bytes_to_discard -= len(data)
        if conn.bytes_to_discard < 0:
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        self._stop_reading(conn)
        self._close(conn)

    def _drop_oldest(self) -> None:
        if self._reading:
            self._drop(next(iter(self._reading)))

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()


def is_in_transaction() -> bool:
    """Return whether this thread holds a transaction, which others may wait for."""
    return any(connection.in_atomic_block for connection in connections.all(initialized_only=True))


def close_unused_connections() -> None:
    """Close this thread's database connections, but not within a transaction. Django opens them again."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
