"""A process killed (-9) at each step of a put into the folder: what is visible is whole."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from records.storage import CidBuilder, LocalStore
from records.storage import local as module
from tests.faults.processes import Child

MIB = 1 << 20
DATA = bytes(range(256)) * (2 * MIB // 256) + b"the third leaf"
STEPS = {
    "writing": (module, "_write_all"),
    "onto the disk": (os, "fsync"),
    "list of leaves": (module, "_write_leaves"),
    "rename": (Path, "replace"),
    "folder onto the disk": (module, "sync_folder"),
}


CASES = [
    (step, when, size)
    for step in STEPS
    for when in ("before", "after")
    for size in (5, len(DATA))
    if size > MIB or step != "list of leaves"  # a single leaf has none
]


@pytest.mark.parametrize(("step", "when", "size"), CASES)
def test_no_half_object_is_ever_visible(tmp_path: Path, step: str, when: str, size: int) -> None:
    data = DATA[:size]
    Child(put_and_die, tmp_path, data, step, when).wait_killed(30, step)
    store, builder = LocalStore(tmp_path), CidBuilder()
    builder.update(data)
    cid = builder.finish()
    visible = set(store.kept())
    assert visible <= {cid}
    assert (cid in visible) == (step == "folder onto the disk" or (step, when) == ("rename", "after"))
    for seen in visible:
        with store.open(seen) as blob:
            assert b"".join(blob) == data
    assert store.put([data]).cid == cid
    with store.open(cid) as blob:
        assert b"".join(blob) == data


def put_and_die(folder: Path, data: bytes, step: str, when: str) -> None:
    """The last call of a step is the object's own: those before it make folders, or the list of leaves."""
    store = LocalStore(folder)
    place, name = STEPS[step]
    real: Callable[..., Any] = getattr(place, name)

    def dying(*args: Any) -> Any:
        if when == "before" and is_the_one(args):
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*args)
        if when == "after" and is_the_one(args):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    def is_the_one(args: tuple[Any, ...]) -> bool:
        if name == "replace":
            return not str(args[1]).endswith(".leaves")
        return name != "sync_folder" or Path(args[0]).name != "objects"

    setattr(place, name, dying)
    store.put([data[at : at + 100_000] for at in range(0, len(data), 100_000)])
