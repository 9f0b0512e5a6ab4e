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
    with medrec_open.Store(place).open(cid.digest, int(cid.dag_pb)) as file:
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
    with pytest.raises(medrec_open.Refused, match="not in the store"):
        medrec_open.Store(str(tmp_path)).open(bytes(32))
