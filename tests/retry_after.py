"""An HTTP server for tests that refuses with `Retry-After` while it is told to, and counts who asks."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class BusyServer:
    """What it answers next: a status with `Retry-After`, or a JSON value."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.status = 200
        self.retry_after = ""
        self.asked = 0
        self.url = ""

    def refuse(self, status: int, retry_after: str) -> None:
        """Refuse from now on."""
        self.status, self.retry_after = status, retry_after

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.asked += 1
        request = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        body = json.dumps(self.answer(request) if callable(self.answer) else self.answer).encode()
        handler.send_response(self.status)
        if self.status != 200:
            handler.send_header("Retry-After", self.retry_after)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def serve_busy(answer: Any) -> Iterator[BusyServer]:
    """Run it on a free port of the loopback interface."""
    busy = BusyServer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            busy.respond(self)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        busy.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield busy
        finally:
            server.shutdown()
