"""Fifty API clients at once on the default stack: how many of their calls are answered 5xx, or not at all."""

import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from tests.bench.memory import token
from tests.run.portal import run_portal

LIMITS = {"load_50_clients_5xx": 0.0}

CLIENTS, PEOPLE = 50, 10
SECONDS = 25.0
ANSWER_SECONDS = 120.0


class Client:
    """A program with a connection of its own, which calls again and again."""

    def __init__(self, url: str, token: str, seed: int) -> None:
        self._place = urlsplit(url)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._random = Random(seed)
        self._records: list[str] = []
        self.statuses: Counter[int] = Counter()

    def call_until(self, end: float) -> None:
        """Reads, mostly. A file in every third call."""
        ways: tuple[Callable[[], object], ...] = (self._list, self._open, self._send)
        while time.monotonic() < end:
            self._random.choice(ways)()

    def _list(self) -> None:
        self._ask("GET", self._random.choice(["records", "folders", "grants", "history"]))

    def _open(self) -> None:
        if self._records:
            self._ask("GET", f"records/{self._random.choice(self._records)}/content")

    def _send(self) -> None:
        content = self._random.randbytes(self._random.choice([1, 16, 64]) * 1024)
        described = {"title": "Load", "kind": "11488-4", "file_name": "load.dat", "size": len(content)}
        upload = self._ask("POST", "uploads", json.dumps(described).encode(), "application/json")
        if upload is not None:
            path = f"uploads/{upload['id']}/content"
            record = self._ask("PUT", path, content, "application/octet-stream")
            self._records += [record["id"]] if record is not None else []

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Any:
        connection = http.client.HTTPConnection(
            str(self._place.hostname), self._place.port, timeout=ANSWER_SECONDS
        )
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        try:
            connection.request(method, f"/api/v1/{path}", body, headers)
            answer = connection.getresponse()
            found = answer.read()
        except (OSError, http.client.HTTPException):
            self.statuses[599] += 1  # no answer
            return None
        finally:
            connection.close()
        self.statuses[answer.status] += 1
        return json.loads(found) if answer.status == 201 else None


def measure() -> dict[str, float]:
    """Start a portal, let the clients call, count."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"API_RATE": "1000000/min"}
        with run_portal(Path(folder), settings=settings) as portal:
            tokens = [token(portal, f"bench{number}@patients.example") for number in range(PEOPLE)]
            clients = [Client(portal.url, tokens[number % PEOPLE], number) for number in range(CLIENTS)]
            end = time.monotonic() + SECONDS
            threads = [threading.Thread(target=client.call_until, args=(end,)) for client in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            portal.stop()
    statuses = sum((client.statuses for client in clients), Counter[int]())
    failed = sum(count for status, count in statuses.items() if status >= 500)
    return {"load_50_clients_calls": float(sum(statuses.values())), "load_50_clients_5xx": float(failed)}
