"""What this machine has seen of the database, kept in VAR/witness: the one folder that no backup restores.

`machine` is written once. Its time of change (ctime) and inode cannot be restored by copying. So a folder
that came back from a backup, or from another machine, tells itself from the one that was here all along.
`seen` has the newest life of the database that this machine knew, and how far it was.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from chain.keys.secret_files import write_once


@dataclass(frozen=True)
class Seen:
    """The newest life that this machine knew: number, key, and its highest tick.

    `copied`: the folder is a copy. What it says is true, but may be older than what this machine did.
    """

    number: int
    key: str
    tick: int
    copied: bool = False


def witness_folder() -> Path:
    """Return the folder: never in a backup, one for each machine."""
    return Path(settings.VAR) / "witness"


def read_witness() -> Seen | None:
    """Return what this machine has seen; None if it has seen nothing, or the files are damaged."""
    try:
        fields = json.loads((witness_folder() / "seen").read_bytes())
        mark = _mark()
        seen = Seen(
            int(fields["number"]), str(fields["key"]), int(fields["tick"]), copied=fields["mark"] != mark
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seen


def write_witness(seen: Seen) -> None:
    """Note what this machine has seen, unless it has seen later things. Raises OSError."""
    folder = witness_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_once(folder / "machine", secrets.token_hex(16))
    with alone("writing"):
        before = read_witness()
        if (
            before is not None
            and not before.copied
            and (before.number, before.tick) > (seen.number, seen.tick)
        ):
            return
        fields = {"number": seen.number, "key": seen.key, "tick": seen.tick, "mark": _mark()}
        draft = folder / "seen.new"
        with draft.open("w") as file:
            json.dump(fields, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / "seen")


def _mark() -> list[int]:
    """Return what a copy of `machine` has otherwise."""
    status = (witness_folder() / "machine").stat()
    return [status.st_ino, status.st_ctime_ns]


@contextmanager
def alone(what: str) -> Iterator[None]:
    """One process of this machine at a time, where the folder can be written to."""
    folder = witness_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / f"{what}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
