"""Clients that hold a portal up: connections that say nothing, half requests, trickles, and slow readers."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench.memory import token
from tests.run.portal import Portal

SILENT = 500
HALF_HEADERS = 64
HALF_BODIES = 64
SLOW_UPLOADS = 16
SLOW_READERS = 50
TRICKLE_SECONDS = 5.0
AHEAD = 200 * 1024  # more than a server reads ahead
PIECE = 1024 * 1024


@dataclass
class Program:
    """An integrator's program with one patient's token."""

    port: int
    token: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request on a connection of its own. Return its JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert answer.status < 300, (answer.status, data[:500])
        return json.loads(data)

    def describe(self, size: int) -> str:
        """A described upload of so many bytes."""
        about = {"title": "Crowd", "kind": "51899-3", "file_name": "a.bin", "size": size, "folder": 1}
        return str(self.ask("POST", "uploads", about)["id"])

    def send(self, piece: bytes, count: int) -> str:
        """Upload a file as one body. Return the record's id."""
        path, size = f"/api/v1/uploads/{self.describe(len(piece) * count)}/content", len(piece) * count
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Length": str(size)}
        connection.request("PUT", path, (piece for _ in range(count)), headers)
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 201, (answer.status, data[:500])
        return str(json.loads(data)["id"])

    def head(self, method: str, path: str, **headers: Any) -> bytes:
        """A request up to its body."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self.token}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def grant(self, other: "Program") -> dict[str, str]:
        """Give another patient folder 1. What ends it again."""
        grantee = other.ask("GET", "me")["address"]
        ends = (datetime.now(UTC) + timedelta(days=5)).isoformat()
        body = {"grantee": grantee, "folders": [1], "expires_at": ends}
        (act,) = self.ask("POST", "grants", body)
        del act
        (grant,) = self.ask("GET", "grants")
        return {"grantee": grantee, "scope": grant["scope"]}


def patients(portal: Portal) -> tuple[Program, Program]:
    """Two patients. The keys of both are on the chain."""
    port = int(portal.environment["PORT"])
    first, second = (Program(port, token(portal, f"{name}@patients.example")) for name in ("one", "two"))
    deadline = time.monotonic() + 120
    while not all(one.ask("GET", "me")["key_fingerprint"] for one in (first, second)):
        assert time.monotonic() < deadline, "no key was published"
        time.sleep(0.2)
    return first, second


@contextmanager
def crowd(port: int, sender: Program, record: str) -> Iterator[list[socket.socket]]:
    """Hold the connections. Uploads get a byte in five seconds. The connections of the slow readers."""
    stop = threading.Event()
    with ExitStack() as held:

        def connect(data: bytes = b"") -> socket.socket:
            connection = held.enter_context(socket.create_connection(("127.0.0.1", port), 120))
            connection.sendall(data)
            return connection

        uploads = [sender.describe(10 * AHEAD) for _ in range(SLOW_UPLOADS)]
        for _ in range(SILENT):
            connect()
        for _ in range(HALF_HEADERS):
            connect(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        for number in range(HALF_BODIES):
            size = 1000 if number % 2 else 3_000_000
            begun = bytes(min(size // 2, AHEAD))
            connect(sender.head("POST", "/accounts/login/", Content_Length=size) + begun)
        trickles = []
        for upload in uploads:
            path = f"/api/v1/uploads/{upload}/content"
            trickles.append(connect(sender.head("PUT", path, Content_Length=10 * AHEAD) + bytes(AHEAD)))
        get = sender.head("GET", f"/api/v1/records/{record}/content")
        readers = [connect(get) for _ in range(SLOW_READERS)]
        threading.Thread(target=_trickle, args=(trickles, stop), daemon=True).start()
        try:
            yield readers
        finally:
            stop.set()


def _trickle(connections: list[socket.socket], stop: threading.Event) -> None:
    """A byte on each, again and again. The server may end them."""
    while not stop.wait(TRICKLE_SECONDS):
        for connection in connections:
            try:
                connection.sendall(b"x")
            except OSError:
                continue


def seconds_of(program: Program, method: str, path: str, body: Any = None) -> float:
    """Return how long an answer takes."""
    began = time.monotonic()
    program.ask(method, path, body)
    return time.monotonic() - began


def seconds_of_probe(port: int) -> float:
    """Return how long `/healthz` takes for a new client."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    return time.monotonic() - began
