"""Files that are whole or not there, whatever happens while they are written."""

import os
from pathlib import Path

DRAFT = ".new"  # a draft's suffix; one that a crash left behind means nothing


def write_whole(path: Path, *pieces: bytes) -> None:
    """Put a file at `path`, on the disk when this returns, or leave what is there and raise OSError."""
    draft = path.with_name(path.name + DRAFT)
    try:
        draft.touch(mode=0o600)
        with draft.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # a full disk gets its space back
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have a folder's names on the disk; fsync of a file alone does not promise that (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
