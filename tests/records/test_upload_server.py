"""Uploads to the running portal: no plaintext in any file, several at once; a server killed in mid-part."""

import http.client
import json
import os
import re
import signal
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests.bench.memory import token
from tests.records.test_upload_parts import digest_of
from tests.records.watching import family, files_with
from tests.run.portal import Portal, children_of, run_portal

pytestmark = pytest.mark.slow

MARK = b"MARKED haemoglobin 11.1 g/dl "
PART = 16 * 1024**2
FILE = b"%PDF-1.7\n" + MARK * (PART // len(MARK)) + b"the rest, in a second part"
HELD_BACK = 1024**2  # bytes sent only after a look at all files: the rest is more than sockets hold
SENDERS = 2


class Sender:
    """An integrator's program that can stop in mid-body."""

    def __init__(self, portal: Portal, secret: str) -> None:
        self._port = int(portal.environment["PORT"])
        self._secret = secret

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One request. Return its JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, f"/api/v1/{path}", data, headers)
        return self._answer(connection)

    def describe(self, title: str) -> str:
        """A described upload of FILE."""
        about = {"title": title, "kind": "51899-3", "file_name": "a.pdf", "size": len(FILE), "folder": 1}
        return str(self.ask("POST", "uploads", about)["id"])

    def begin(self, path: str, body: bytes) -> http.client.HTTPConnection:
        """All of a body but the last MiB."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        connection.putrequest("PUT", f"/api/v1/{path}")
        connection.putheader("Authorization", f"Bearer {self._secret}")
        connection.putheader("Content-Type", "application/octet-stream")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[:-HELD_BACK])
        return connection

    def end(self, connection: http.client.HTTPConnection, body: bytes) -> dict[str, Any]:
        """The last MiB. The answer."""
        connection.send(body[-HELD_BACK:])
        return self._answer(connection)

    @staticmethod
    def _answer(connection: http.client.HTTPConnection) -> dict[str, Any]:
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status < 300, (answer.status, data[:500])
        found: dict[str, Any] = json.loads(data)
        return found


def test_the_watch_sees_a_file_that_is_open_and_deleted() -> None:
    with tempfile.TemporaryFile() as spooled:
        spooled.write(b"x" * 5_000_000 + MARK)
        spooled.flush()
        assert files_with(MARK, pids=[os.getpid()], folders=[])
    assert not files_with(MARK, pids=[os.getpid()], folders=[])


def test_no_plaintext_in_any_file_and_a_killed_server(tmp_path: Path) -> None:
    spool = tmp_path / "tmp"
    spool.mkdir()
    var = tmp_path / "portal"
    settings = {"TMPDIR": str(spool), "UPLOAD_PART_BYTES": str(PART)}
    with run_portal(var, settings=settings) as portal:
        sender = Sender(portal, token(portal))
        _leaves_no_core(portal)
        _watch_uploads(portal, sender, [var, spool])
        _kill_in_a_part(portal, sender)
        portal.stop()


def _leaves_no_core(portal: Portal) -> None:
    """A crash would write the memory to a disk, plaintext and keys in it."""
    for pid in _web(portal):
        (limit,) = re.findall(r"^Max core file size +(\S+) +(\S+)", _limits(pid), re.MULTILINE)
        assert limit == ("0", "0")


def _limits(pid: int) -> str:
    return Path(f"/proc/{pid}/limits").read_text()


def _watch_uploads(portal: Portal, sender: Sender, folders: list[Path]) -> None:
    """Whole and in parts, at once, all held in mid-body while every file is looked into."""
    held, looked = Barrier(2 * SENDERS + 1), Barrier(2 * SENDERS + 1)

    def send(number: int) -> None:
        upload = sender.describe(f"Watched {number}")
        whole = number % 2 == 0
        path, body = (
            (f"uploads/{upload}/content", FILE) if whole else (f"uploads/{upload}/parts/0", FILE[:PART])
        )
        connection = sender.begin(path, body)
        held.wait(120)
        looked.wait(120)
        sender.end(connection, body)
        if not whole:
            sender.ask("PUT", f"uploads/{upload}/parts/1", FILE[PART:])
            sender.ask("POST", f"uploads/{upload}/finish", {"digest": digest_of(FILE, PART)})

    with ThreadPoolExecutor(2 * SENDERS) as pool:
        sending = [pool.submit(send, number) for number in range(2 * SENDERS)]
        held.wait(120)
        seen = files_with(MARK, pids=family(portal.process.pid), folders=folders)
        looked.wait(120)
        for one in sending:
            one.result()
    assert seen == []
    assert files_with(MARK, pids=family(portal.process.pid), folders=folders) == []


def _kill_in_a_part(portal: Portal, sender: Sender) -> None:
    """Kill the server in a part. Earlier parts are there when it is back, and the cut part is sent again."""
    upload = sender.describe("Killed")
    sender.begin(f"uploads/{upload}/parts/0", FILE[:PART])
    for pid in _web(portal):
        os.kill(pid, signal.SIGKILL)
    _wait_for(portal)
    assert sender.ask("GET", f"uploads/{upload}")["next_part"] == 0
    sender.ask("PUT", f"uploads/{upload}/parts/0", FILE[:PART])
    for pid in _web(portal):
        os.kill(pid, signal.SIGKILL)
    _wait_for(portal)
    assert sender.ask("GET", f"uploads/{upload}")["next_part"] == 1
    sender.ask("PUT", f"uploads/{upload}/parts/1", FILE[PART:])
    record = sender.ask("POST", f"uploads/{upload}/finish", {"digest": digest_of(FILE, PART)})
    assert (record["title"], record["size"]) == ("Killed", len(FILE))


def _web(portal: Portal) -> list[int]:
    """The web server's processes, the master first: it would start others."""
    masters = [pid for pid in portal.children() if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return masters + [worker for master in masters for worker in children_of(master)]


def _wait_for(portal: Portal) -> None:
    """Until the manager has started the web server again."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", int(portal.environment["PORT"])), 1) as asking:
                asking.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                if b"200" in asking.recv(100):
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the web server did not come back")
