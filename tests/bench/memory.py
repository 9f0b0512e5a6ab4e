"""Measures how much a web process grows while 1 GiB goes up, comes back, and comes in a ZIP (Linux)."""

import hashlib
import http.client
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.run.portal import ROOT, Portal, children_of, run_portal

LIMITS = {
    "rss_growth_upload_1gib_mib": 32.0,
    "rss_growth_download_1gib_mib": 32.0,
    "rss_growth_zip_1gib_mib": 32.0,
}
GIB = 2**30
PIECE = secrets.token_bytes(2**20)
WARM_UPS = 12


def measure() -> dict[str, float]:
    """MiB of growth (of the web process that grew most), and MiB a second."""
    with tempfile.TemporaryDirectory() as folder, run_portal(Path(folder)) as portal:
        client = Client(portal, token(portal))
        for _ in range(WARM_UPS):  # every process has then done everything once
            client.download(client.upload(len(PIECE)))
        workers = _web_workers(portal)
        before = _reset(workers)
        began = time.monotonic()
        record = client.upload(GIB)
        uploaded = time.monotonic() - began
        up = _growth(workers, before)
        before = _reset(workers)
        began = time.monotonic()
        client.download(record)
        downloaded = time.monotonic() - began
        down = _growth(workers, before)
        before = _reset(workers)
        client.export(GIB)
        zipped = _growth(workers, before)
        portal.stop()
    return {
        "rss_growth_upload_1gib_mib": up,
        "rss_growth_download_1gib_mib": down,
        "rss_growth_zip_1gib_mib": zipped,
        "upload_1gib_mib_per_second": 1024 / uploaded,
        "download_1gib_mib_per_second": 1024 / downloaded,
    }


def token(portal: Portal, *email: str) -> str:
    """An API token of a new patient."""
    command = [sys.executable, "-m", "tests.bench.patient", *email]
    made = subprocess.run(
        command, cwd=ROOT, env=portal.environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return made.stdout.split()[-1]


class Client:
    """An integrator's program: describes, sends, fetches, compares."""

    def __init__(self, portal: Portal, token: str) -> None:
        self._port = int(portal.environment["PORT"])
        self._headers = {"Authorization": f"Bearer {token}"}

    def upload(self, size: int) -> str:
        """Send a file of `size` bytes (whole pieces). Return the record's id."""
        described = {"title": "Bench", "kind": "51899-3", "file_name": "bench.bin", "size": size, "folder": 1}
        upload = self._json("POST", "/api/v1/uploads", json.dumps(described), "application/json")["id"]
        return str(self._json("PUT", f"/api/v1/uploads/{upload}/content", _pieces(size), length=size)["id"])

    def download(self, record: str) -> None:
        """Fetch a record's content, and compare it with what was sent."""
        answer = self._send("GET", f"/api/v1/records/{record}/content")
        digest, size = hashlib.sha256(), 0
        while piece := answer.read(len(PIECE)):
            digest.update(piece)
            size += len(piece)
        expected = hashlib.sha256()
        for piece in _pieces(size):
            expected.update(piece)
        if size == 0 or digest.digest() != expected.digest():
            raise AssertionError("what came back is not what was sent")

    def export(self, least: int) -> None:
        """Fetch all records as one ZIP, of at least so many bytes."""
        answer, size = self._send("GET", "/api/v1/export"), 0
        while piece := answer.read(len(PIECE)):
            size += len(piece)
        if size < least:
            raise AssertionError("the ZIP came short")

    def _json(
        self,
        method: str,
        path: str,
        body: Any,
        kind: str = "application/octet-stream",
        length: int | None = None,
    ) -> dict[str, Any]:
        headers = {"Content-Type": kind} | ({"Content-Length": str(length)} if length else {})
        answered: dict[str, Any] = json.loads(self._send(method, path, body, headers).read())
        return answered

    def _send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        connection.request(method, path, body, self._headers | (headers or {}))
        answer = connection.getresponse()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.read(500)!r}")
        return answer


def _pieces(size: int) -> Iterator[bytes]:
    return (PIECE for _ in range(size // len(PIECE)))


def _web_workers(portal: Portal) -> list[int]:
    masters = [pid for pid in portal.children() if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return [worker for master in masters for worker in children_of(master)]


def _reset(workers: list[int]) -> dict[int, float]:
    """Forget the peaks so far. Return each process's memory now, in MiB."""
    for pid in workers:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): resets VmHWM
    return {pid: _status(pid, "VmRSS") for pid in workers}


def _growth(workers: list[int], before: dict[int, float]) -> float:
    return max(_status(pid, "VmHWM") - before[pid] for pid in workers)


def _status(pid: int, name: str) -> float:
    """A line of /proc/<pid>/status, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024
