"""Secrets that are made once and kept in a file."""

import os
import secrets
from pathlib import Path


def write_once(path: Path, text: str) -> bool:
    """Keep a text in a file that only its owner reads, unless the file is there; whether it was written.

    The file appears whole or not at all, whoever is killed and whoever does the same at once.
    """
    if path.exists():
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return True
