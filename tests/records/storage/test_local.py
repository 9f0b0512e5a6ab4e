"""The folder: crashes, damage, a full disk."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from records.storage import Cid, LocalStore
from records.storage.errors import ContentCorrupt, StoreFull, StoreUnavailable
from records.storage.local import ABANDONED_AFTER

MIB = 1 << 20

ENDLESS_PUT = """
import itertools, sys
from pathlib import Path
from records.storage import LocalStore
LocalStore(Path(sys.argv[1])).put(itertools.repeat(bytes(1 << 16)))
"""


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def object_of(root: Path, cid: Cid) -> Path:
    (path,) = (path for path in files_in(root) if path.name == str(cid))
    return path


def flip_byte(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def test_a_put_killed_half_way_leaves_nothing_visible_and_is_cleaned_up_later(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ENDLESS_PUT, str(tmp_path)], cwd=Path.cwd())
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size > MIB for path in files_in(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert files_in(tmp_path / "objects") == []
    (left,) = files_in(tmp_path / "incoming")
    LocalStore(tmp_path)
    assert left.exists()  # young: it might be another process's put
    long_ago = time.time() - ABANDONED_AFTER - 1
    os.utime(left, (long_ago, long_ago))
    LocalStore(tmp_path)
    assert files_in(tmp_path) == []


def test_nothing_is_visible_before_the_stream_has_ended(local: LocalStore, tmp_path: Path) -> None:
    seen = []

    def stream() -> Iterator[bytes]:
        yield os.urandom(2 * MIB)
        seen.append(files_in(tmp_path / "store" / "objects"))

    local.put(stream())
    assert seen == [[]]


def test_a_put_that_broke_off_leaves_nothing(local: LocalStore, tmp_path: Path) -> None:
    def stream() -> Iterator[bytes]:
        yield os.urandom(2 * MIB)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        local.put(stream())
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("size", [1, MIB, 3 * MIB])
@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty"])
def test_damaged_bytes_are_never_handed_out(
    local: LocalStore, tmp_path: Path, size: int, damage: str
) -> None:
    stored = local.put([os.urandom(size)])
    path = object_of(tmp_path, stored.cid)
    if damage == "flip":
        flip_byte(path, size - 1)
    elif damage == "cut":
        os.truncate(path, size - 1)
    elif damage == "grow":
        os.truncate(path, size + 1)
    else:
        os.truncate(path, 0)
    with pytest.raises(ContentCorrupt), local.open(stored.cid) as blob:
        b"".join(blob)


def test_the_leaves_that_are_whole_can_still_be_read(local: LocalStore, tmp_path: Path) -> None:
    data = os.urandom(3 * MIB)
    stored = local.put([data])
    flip_byte(object_of(tmp_path, stored.cid), MIB + 5)
    with local.open(stored.cid) as blob:
        assert blob.read_at(0, MIB) + blob.read_at(2 * MIB, MIB) == data[:MIB] + data[2 * MIB :]
        with pytest.raises(ContentCorrupt):
            blob.read_at(MIB - 1, 2)


@pytest.mark.parametrize("damage", ["flip", "cut", "lost"])
def test_a_damaged_list_of_leaves_is_made_again(local: LocalStore, tmp_path: Path, damage: str) -> None:
    data = os.urandom(3 * MIB)
    stored = local.put([data])
    leaves = object_of(tmp_path, stored.cid).with_name(f"{stored.cid}.leaves")
    before = leaves.read_bytes()
    if damage == "flip":
        flip_byte(leaves, 40)
    elif damage == "cut":
        os.truncate(leaves, 50)
    else:
        leaves.unlink()
    with local.open(stored.cid) as blob:
        assert b"".join(blob) == data
    assert leaves.read_bytes() == before


def test_content_swapped_for_another_is_corrupt_even_with_its_list_of_leaves(
    local: LocalStore, tmp_path: Path
) -> None:
    mine, other = local.put([os.urandom(3 * MIB)]), local.put([os.urandom(3 * MIB)])
    path, source = object_of(tmp_path, mine.cid), object_of(tmp_path, other.cid)
    source.replace(path)
    source.with_name(f"{other.cid}.leaves").replace(path.with_name(f"{mine.cid}.leaves"))
    with pytest.raises(ContentCorrupt):
        local.open(mine.cid)


def test_putting_again_heals_damaged_content(local: LocalStore, tmp_path: Path) -> None:
    data = os.urandom(MIB)
    stored = local.put([data])
    flip_byte(object_of(tmp_path, stored.cid), 0)
    local.put([data])
    with local.open(stored.cid) as blob:
        assert b"".join(blob) == data


def test_a_put_that_finds_no_room_says_so_and_leaves_nothing(local: LocalStore, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, limits[1]))
    try:
        with pytest.raises(StoreFull):
            local.put([os.urandom(MIB // 2)] * 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files_in(tmp_path) == []


def test_a_blob_that_is_open_survives_its_unpinning(local: LocalStore) -> None:
    data = os.urandom(2 * MIB)
    stored = local.put([data])
    with local.open(stored.cid) as blob:
        local.unpin(stored.cid)
        assert b"".join(blob) == data


def test_two_processes_share_a_folder(local: LocalStore, tmp_path: Path) -> None:
    stored = local.put([b"shared"])
    with LocalStore(tmp_path / "store").open(stored.cid) as blob:
        assert b"".join(blob) == b"shared"


def test_a_folder_that_cannot_be_used_is_unavailable(local: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable):
        LocalStore(tmp_path / "file")
    (tmp_path / "store").rename(tmp_path / "moved")
    for work in (local.check, lambda: local.put([b"x"])):
        with pytest.raises(StoreUnavailable):
            work()
