"""Encrypted parts of files that are not whole yet: a folder, one file an upload, written at known places."""

import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from records.storage.errors import StagedMissing
from records.storage.local import disk_errors, sync_folder

ReadAt = Callable[[int, int], bytes]
NAME = re.compile(r"[0-9a-f]{32}")


class Staging:
    """A folder of its own, made if it is missing. All web processes share it.

    Any method may raise StoreUnavailable. What was written before stays.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, name: uuid.UUID, offset: int, pieces: Iterable[bytes]) -> None:
        """Write pieces from `offset` on. When this returns they are on disk.

        Raises StoreFull, and StagedMissing when what lies before `offset` is not there (any more).
        """
        path = self._path(name)
        with disk_errors():
            if offset == 0 and not path.exists():
                self._root.mkdir(parents=True, exist_ok=True)
                path.parent.mkdir(exist_ok=True)
                sync_folder(self._root)
        with self._opened(name, os.O_RDWR | (os.O_CREAT if offset == 0 else 0)) as descriptor, disk_errors():
            if os.fstat(descriptor).st_size < offset:
                raise StagedMissing(str(name))
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    written = os.pwrite(descriptor, view, offset)
                    offset, view = offset + written, view[written:]
            os.fsync(descriptor)
            sync_folder(path.parent)

    @contextmanager
    def reading(self, name: uuid.UUID) -> Iterator[tuple[ReadAt, int]]:
        """(reading at a place, size in bytes) of a staged file. Raises StagedMissing."""
        with self._opened(name, os.O_RDONLY) as descriptor:
            with disk_errors():
                size = os.fstat(descriptor).st_size

            def read_at(offset: int, length: int) -> bytes:
                with disk_errors():
                    return os.pread(descriptor, length, offset)

            yield read_at, size

    def remove(self, name: uuid.UUID) -> None:
        """Erase it. Nothing happens when it is not there."""
        with disk_errors():
            self._path(name).unlink(missing_ok=True)

    def names(self) -> list[uuid.UUID]:
        """List all that are here now."""
        with disk_errors():
            found = [path.name for path in self._root.glob("??/*")]
        return [uuid.UUID(name) for name in found if NAME.fullmatch(name)]

    @contextmanager
    def _opened(self, name: uuid.UUID, flags: int) -> Iterator[int]:
        with disk_errors():
            try:
                descriptor = os.open(self._path(name), flags, 0o600)
            except FileNotFoundError as error:
                raise StagedMissing(str(name)) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _path(self, name: uuid.UUID) -> Path:
        return self._root / name.hex[:2] / name.hex
