"""`/healthz`, answered in the main loop: it says that this process answers, and needs no thread."""

import io
import sys
from collections.abc import Callable
from email.utils import formatdate
from typing import Any


class Probe:
    """The application's answer to GET /healthz, asked for once, when the process starts to serve."""

    def __init__(self, application: Callable[..., Any]) -> None:
        """Ask. Raises RuntimeError where the answer is not 200: such a process does not serve."""
        head: list[Any] = []
        answer = application(_environ(), lambda status, headers, *_: head.extend((status, headers)))
        self._body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        status, headers = head
        if not status.startswith("200 "):
            raise RuntimeError(f"/healthz answers {status}")
        lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(self._body)}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() != "content-length"]
        self._head = "\r\n".join(lines)

    def answer(self, request: bytes | bytearray) -> bytes:
        """Return the answer to a request that begins like this."""
        head = f"{self._head}\r\nDate: {formatdate(usegmt=True)}\r\n\r\n".encode("latin-1")
        return head if request.startswith(b"HEAD ") else head + self._body


def _environ() -> dict[str, Any]:
    """Return the request as PEP 3333 has it."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/healthz",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
