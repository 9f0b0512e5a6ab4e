"""Looking for words in everything stored, however they might be spelled."""

import base64
import json
import pickle
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from accounts.sessions import open_session, row_id
from tests.leaks.stores import Database, database_of


def spellings(secret: bytes) -> set[bytes]:
    """A secret as itself, UTF-16, hexadecimal, and base64 at each alignment; in lower case."""
    found = {secret, secret.hex().encode()}
    text = secret.decode("latin-1")
    found |= {text.encode("utf-16-le"), text.encode("utf-16-be")}
    for shift in range(3):
        # The characters that depend on the word alone, and all of them: noise has what is shorter.
        coded = base64.b64encode(bytes(shift) + secret)[-(-8 * shift // 6) : 8 * (shift + len(secret)) // 6]
        found |= {coded, coded.replace(b"+", b"-").replace(b"/", b"_")}
    return {spelling.lower() for spelling in found}


def find_words(words: dict[str, bytes], where: Iterable[tuple[str, bytes]]) -> list[str]:
    """ "<word's name> in <place>" for each word (by name) that a place holds in any spelling, in any case."""
    needles = [(name, spelling) for name, word in words.items() for spelling in spellings(word)]
    found = []
    for place, stored in where:
        lower = stored.lower()
        found += [f"{name} in {place}" for name, spelling in needles if spelling in lower]
    return sorted(set(found))


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder. One that a running process just deleted is gone for a thief, too."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            try:
                stored = file.read_bytes()
            except FileNotFoundError:
                continue
            yield str(file.relative_to(folder)), _unpacked(stored) if file.suffix == ".djcache" else stored


def _unpacked(entry: bytes) -> bytes:
    """Return the value of a cache file, as Django reads it: stored, the value is compressed."""
    file = BytesIO(entry)
    pickle.load(file)  # when it ends
    return zlib.decompress(file.read())


def rows_of(database: Database) -> Iterator[tuple[str, bytes]]:
    """Every value of every table: in the file itself a long one is cut into pages."""
    for table in database.tables():
        for number, row in enumerate(database.read(f'SELECT * FROM "{table}"')):
            for value in row:
                if value is not None:
                    yield f"{table}, row {number}", value if isinstance(value, bytes) else str(value).encode()


def sessions_of(var: Path, cookies: Iterable[str]) -> list[dict[str, Any]]:
    """The sessions of these browsers as the portal reads them: sealed, no search sees into a row."""
    rows = dict(database_of(var).read("SELECT session_key, session_data FROM django_session"))
    return [open_session(cookie, rows[row_id(cookie)]) for cookie in cookies if row_id(cookie) in rows]


def opened_sessions(var: Path, cookies: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The sessions of these browsers, to search."""
    for number, session in enumerate(sessions_of(var, cookies)):
        yield f"session {number}", json.dumps(session, ensure_ascii=False).encode()
