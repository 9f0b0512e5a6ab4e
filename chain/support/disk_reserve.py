"""A file that holds some room on the disk, and is let go when the disk is full.

Reads note who has read, and to stop sharing is a row, too. So the last room is for small writes: files are
refused earlier, and what other programs take cannot include the reserve. It knows no Django.
"""

import os
from contextlib import suppress
from pathlib import Path

NAME = "reserve"
SHORT = 1024 * 1024
"""Bytes."""


class DiskReserve:
    """The reserve of one folder, of this many bytes; none with 0. Any process may tend it."""

    def __init__(self, folder: Path, size: int) -> None:
        self.file = folder / NAME
        self._size = size

    def tend(self) -> None:
        """Let the reserve go where little room is left; hold it again where there is enough."""
        with suppress(OSError):  # a folder that is away, a disk that allows no file
            free, is_there = self._free(), self.file.exists()
            if is_there and free < self._size // 4:
                self.file.unlink(missing_ok=True)
            elif not is_there and free > 3 * self._size > 0:
                self._hold()

    def room(self) -> int:
        """Return bytes that files may take; below 0 where room is left for small writes alone."""
        size = self._size if self.file.exists() else 0
        return self._free() + size - 2 * self._size

    def is_full(self) -> bool:
        """Return whether not even a small file can be sure of its room."""
        try:
            return self._free() < SHORT
        except OSError:
            return False

    def is_short(self) -> bool:
        """Return whether programs may fail for want of room."""
        try:
            return self.room() < SHORT
        except OSError:
            return False

    def _free(self) -> int:
        state = os.statvfs(self.file.parent)
        return state.f_bavail * state.f_frsize

    def _hold(self) -> None:
        draft = self.file.with_name(f"{NAME}.{os.getpid()}.draft")
        try:
            with draft.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
            draft.replace(self.file)
        finally:
            draft.unlink(missing_ok=True)
