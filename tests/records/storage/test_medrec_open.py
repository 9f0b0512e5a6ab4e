"""medrec-open reads what either store keeps, by its own way of writing a CID."""

import hashlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from records.crypto.medrec_open.errors import Refused
from records.crypto.medrec_open.store import Store as OpenStore
from records.crypto.medrec_open.store import cid_of
from records.storage import Store
from records.storage.cid import Cid
from tests.kubo.node import KuboNode

SIZES = (0, 5, 3 * 1024 * 1024 + 1)


def read(place: str, cid: Cid) -> bytes:
    """A content, as the script reads it."""
    with OpenStore(place).content(cid.digest, tree=cid.dag_pb) as file:
        return file.read()


@pytest.mark.parametrize("size", SIZES)
def test_from_the_store_s_folder(local: Store, tmp_path: Path, size: int) -> None:
    content = b"x" * size
    assert read(str(tmp_path / "store"), local.put([content]).cid) == content


@pytest.mark.kubo
@pytest.mark.parametrize("size", SIZES)
def test_from_an_ipfs_node(ipfs: Store, kubo: KuboNode, size: int) -> None:
    content = b"y" * size
    assert read(kubo.url, ipfs.put([content]).cid) == content


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(Cid(bytes(32)))):
        OpenStore(str(tmp_path)).block(bytes(32))


def test_a_small_one_of_other_bytes_is_refused(local: Store, tmp_path: Path) -> None:
    cid = local.put([b"as it was"]).cid
    (path,) = (one for one in tmp_path.rglob(str(cid)))
    assert OpenStore(str(tmp_path / "store")).block(cid.digest) == b"as it was"
    path.write_bytes(b"as it is!")
    with pytest.raises(Refused, match="other bytes"):
        OpenStore(str(tmp_path / "store")).block(cid.digest)


class _Busy(BaseHTTPRequestHandler):
    """A gateway, not a node, that answers every other question."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        wanted = self.path == f"/ipfs/{cid_of(hashlib.sha256(b'as it was').digest())}"
        status = 404 if not wanted else 429 if len(self.asked) % 2 else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"as it was" if status == 200 else b"not now")

    def do_POST(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


def test_a_busy_gateway_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("records.crypto.medrec_open.web.time.sleep", lambda _: None)
    with HTTPServer(("127.0.0.1", 0), _Busy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        place = OpenStore(f"http://127.0.0.1:{server.server_port}/")
        assert place.block(hashlib.sha256(b"as it was").digest()) == b"as it was"
        with pytest.raises(Refused, match="404"):
            place.block(bytes(32))
        server.shutdown()
    assert len(_Busy.asked) == 3
