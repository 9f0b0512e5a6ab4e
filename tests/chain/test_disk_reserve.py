"""The reserve: held where there is room, let go where there is little, counted by those who keep files."""

from pathlib import Path

import pytest

from chain.support.disk_reserve import DiskReserve

SIZE = 1 << 20


class Disk:
    """What statvfs says."""

    def __init__(self, free: int) -> None:
        self.f_bavail, self.f_frsize = free // 512, 512


@pytest.fixture
def reserve(tmp_path: Path) -> DiskReserve:
    return DiskReserve(tmp_path, SIZE)


def have_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr("chain.support.disk_reserve.os.statvfs", lambda _: Disk(free))


def test_it_is_held_and_takes_real_room(reserve: DiskReserve) -> None:
    reserve.tend()
    state = reserve.file.stat()
    assert state.st_size == SIZE
    assert state.st_blocks * 512 >= SIZE
    before = state.st_ino
    reserve.tend()
    assert reserve.file.stat().st_ino == before


def test_it_goes_when_little_is_left_and_comes_again_with_plenty(
    reserve: DiskReserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve.tend()
    for free, held in ((SIZE, True), (SIZE // 4, True), (SIZE // 4 - 512, False), (3 * SIZE, False)):
        have_free(monkeypatch, free)
        reserve.tend()
        assert reserve.file.exists() is held, free
    have_free(monkeypatch, 3 * SIZE + 512)
    reserve.tend()
    assert reserve.file.exists()


def test_letting_it_go_makes_no_room_for_files(reserve: DiskReserve, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve.tend()
    have_free(monkeypatch, SIZE // 8)
    before = reserve.room()
    reserve.tend()
    have_free(monkeypatch, SIZE // 8 + SIZE)
    assert before == reserve.room() < 0


def test_none_is_held_with_a_size_of_nothing(tmp_path: Path) -> None:
    none = DiskReserve(tmp_path, 0)
    none.tend()
    assert not none.file.exists()
    assert none.room() > 0


def test_a_disk_that_allows_no_file_is_no_error(tmp_path: Path) -> None:
    away = DiskReserve(tmp_path / "away", SIZE)
    away.tend()
    assert not away.is_short()
    assert not away.is_full()
    assert not list(tmp_path.iterdir())
