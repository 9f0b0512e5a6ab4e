"""medrec-open reads what either store keeps, by its own way of writing a CID."""

from pathlib import Path

import pytest

from records.crypto import medrec_open
from records.storage import Store
from records.storage.cid import Cid
from tests.kubo.node import KuboNode

SIZES = (0, 5, 3 * 1024 * 1024 + 1)


def read(place: str, cid: Cid) -> bytes:
    """A content, as the script reads it."""
    with medrec_open.open_content(place, cid.digest, int(cid.dag_pb)) as file:
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
        medrec_open.open_content(str(tmp_path), bytes(32))


def test_a_small_one_of_other_bytes_is_refused(local: Store, tmp_path: Path) -> None:
    cid = local.put([b"as it was"]).cid
    (path,) = (one for one in tmp_path.rglob(str(cid)))
    assert medrec_open.open_content(str(tmp_path / "store"), cid.digest).read() == b"as it was"
    path.write_bytes(b"as it is!")
    with pytest.raises(medrec_open.Refused, match="other bytes"):
        medrec_open.open_content(str(tmp_path / "store"), cid.digest)
