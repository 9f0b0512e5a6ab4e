"""Looks for words in everything that processes have written: files in folders, and files that they hold open.

A file that was deleted while it is open is looked into, too (proc(5): /proc/<pid>/fd). Linux only.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.run.portal import children_of

PIECE = 4 * 1024**2


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    return [pid] + [each for child in children_of(pid) for each in family(child)]


def files_with(marker: bytes, *, pids: Iterable[int], folders: Iterable[Path]) -> list[str]:
    """Names of the files that hold the marker."""
    found = [str(path) for folder in folders for path in _files(folder) if _holds(path, marker)]
    return found + [named for pid in pids for path, named in _open_files(pid) if _holds(path, marker)]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _open_files(pid: int) -> Iterator[tuple[Path, str]]:
    try:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            target = str(path.readlink())
            if target.startswith("/") and stat.S_ISREG(path.stat().st_mode):
                yield path, target
    except OSError:  # it has ended, or the file was closed just now
        return


def _holds(path: Path, marker: bytes) -> bool:
    try:
        with path.open("rb") as file:
            before = b""
            while piece := os.read(file.fileno(), PIECE):
                if marker in before + piece:
                    return True
                before = piece[-len(marker) :]
    except OSError:
        return False
    return False
