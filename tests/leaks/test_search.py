"""The search finds what is there: otherwise finding nothing would mean nothing."""

import base64
import secrets
import sqlite3
from pathlib import Path

import pytest
from django.core.cache.backends.filebased import FileBasedCache

from tests.leaks.search import files_of, find_words, rows_of, spellings
from tests.leaks.stores import Database
from tests.leaks.story import FIXED

WORD = b"zqword7f3a91c2"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize(
    "spelled",
    [
        lambda text: text.encode(),
        lambda text: text.upper().encode(),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode().hex().encode(),
        lambda text: text.encode().hex().upper().encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.urlsafe_b64encode(text.encode()),
    ],
)
def test_a_word_is_found_however_it_is_spelled(tmp_path: Path, before: str, spelled: object) -> None:
    assert callable(spelled)
    hidden = spelled(f"{before}{WORD.decode()} and more")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(secrets.token_bytes(100) + hidden + secrets.token_bytes(100))
    assert find_words({"word": WORD}, files_of(tmp_path)) == ["word in below/file"]
    assert find_words({"word": b"zqanother5512"}, files_of(tmp_path)) == []


def test_bytes_are_found_as_bytes(tmp_path: Path) -> None:
    key = secrets.token_bytes(32)
    (tmp_path / "file").write_bytes(b"x" + base64.urlsafe_b64encode(b"ab" + key))
    assert find_words({"key": key}, files_of(tmp_path)) == ["key in file"]


def test_a_value_that_pages_cut_is_found_in_its_row(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "file")
    database.execute("CREATE TABLE papers (words TEXT)")
    database.execute("INSERT INTO papers VALUES (?)", ((WORD.decode() + " ") * 9999,))
    database.commit()
    assert find_words({"word": WORD}, rows_of(Database(str(tmp_path / "file")))) == ["word in papers, row 0"]


def test_what_the_cache_compresses_is_found(tmp_path: Path) -> None:
    FileBasedCache(str(tmp_path), {}).set("name", [WORD.decode()] * 9)
    ((place, _),) = files_of(tmp_path)
    assert find_words({"word": WORD}, files_of(tmp_path)) == [f"word in {place}"]


def test_no_word_looked_for_is_so_short_that_noise_has_it() -> None:
    assert min(len(spelling) for word in FIXED.values() for spelling in spellings(word)) >= 7
