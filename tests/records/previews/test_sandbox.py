"""The decoder meets hostile files: each ends in words, soon, in bounded memory; and it goes on answering."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from records.previews import sandbox
from records.previews.errors import CannotShow, TooBusy
from records.previews.sandbox import decoder
from tests.records.previews.asking import Asking, dicom_file
from tests.records.previews.hostile import deflated_bomb, huge_dicom, huge_png, huge_tiff, nested


@pytest.mark.parametrize("make", [huge_png, huge_tiff])
def test_a_picture_of_too_many_pixels(make: Callable[[], bytes]) -> None:
    with pytest.raises(CannotShow, match="too many pixels"):
        Asking(make()).ask("measure")


def test_a_dicom_picture_of_too_many_pixels() -> None:
    asking = Asking(huge_dicom())
    assert "too many pixels" in asking.told("describe")["error"]
    with pytest.raises(CannotShow, match="too many pixels"):
        asking.ask("dicom", frame=0, window=None)


@pytest.mark.parametrize(("make", "words"), [(nested, "damaged"), (deflated_bomb, "too many pixels")])
def test_a_file_that_would_unpack_without_end(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(CannotShow, match=words):
        Asking(make()).ask("describe")
    assert Asking(dicom_file("CT_small.dcm")).told("describe")["error"] == ""


def test_every_cut_of_a_file_is_words() -> None:
    whole = dicom_file("MR_small_jp2klossless.dcm")
    for size in range(132, len(whole) - 200, len(whole) // 12):
        with pytest.raises(CannotShow):
            Asking(whole[:size]).ask("dicom", frame=0, window=None)


def test_a_process_that_was_killed_is_started_anew() -> None:
    asking = Asking(dicom_file("CT_small.dcm"))
    asking.told("describe")
    assert decoder._process is not None
    first = decoder._process.pid
    os.kill(first, signal.SIGKILL)
    decoder._process.wait()
    assert asking.told("describe")["error"] == ""
    assert decoder._process.pid != first


def _only_child(process: Path) -> str:
    """Wait until the children of earlier questions have ended."""
    until = time.monotonic() + 5
    while True:
        children = (process / "task" / process.name / "children").read_text().split()
        if len(children) == 1 or time.monotonic() > until:
            (child,) = children
            return child
        time.sleep(0.01)


def test_it_has_no_environment_and_its_children_have_bounds() -> None:
    seen: list[str] = []
    asking = Asking(dicom_file("CT_small.dcm"))

    def read_at(offset: int, length: int) -> Iterator[bytes]:
        assert decoder._process is not None
        process = Path(f"/proc/{decoder._process.pid}")
        child = _only_child(process)
        lines = (process.parent / child / "limits").read_text().splitlines()
        seen.extend(" ".join(line.split()[:-1]) for line in lines)
        names = {line.partition("=")[0] for line in (process / "environ").read_text().split("\0") if line}
        assert names == {"OPENBLAS_NUM_THREADS", "LC_ALL"}
        return asking.read_at(offset, length)

    decoder.ask("describe", size=len(asking.data), read_at=read_at)
    assert "Max file size 0 0" in seen
    assert "Max core file size 0 0" in seen
    assert f"Max address space {2**30} {2**30}" in seen


def test_a_store_that_fails_on_the_way_is_the_callers_to_hear_of() -> None:
    def read_at(offset: int, length: int) -> list[bytes]:
        raise LookupError(f"{offset} {length}")

    with pytest.raises(LookupError):
        decoder.ask("describe", size=1000, read_at=read_at)


def test_more_questions_than_places_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "BUSY_SECONDS", 0.01)
    for _ in range(sandbox.AT_ONCE):
        decoder._places.acquire()
    try:
        with pytest.raises(TooBusy):
            Asking(dicom_file("CT_small.dcm")).ask("describe")
    finally:
        for _ in range(sandbox.AT_ONCE):
            decoder._places.release()
