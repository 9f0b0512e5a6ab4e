"""Guessing a text's encoding by charset-normalizer. Runs in the decoder's process: the bytes are anybody's.

For a few words in a code page of one byte a character, the library finds several encodings as likely. Among
these, the one is taken that puts no sign in the middle of a word, then the more common one.
"""

import re
from typing import BinaryIO

from charset_normalizer import from_bytes

from records.previews.encodings import known_name

READ_BYTES = 1024 * 1024
SAMPLE_BYTES = 32 * 1024
AS_LIKELY = 0.05  # of the library's measure of mess
CANDIDATES = [
    "cp1252", "cp1250", "iso8859_2", "cp437", "cp850", "cp852", "cp1251", "koi8_r", "cp866", "iso8859_5",
    "cp1253", "iso8859_7", "cp1254", "iso8859_15", "cp1257", "cp1255", "cp1256", "gb18030", "big5",
    "shift_jis", "euc_jp", "euc_kr",
]  # fmt: skip
"""The more common ones first."""
BEFORE = 100  # bytes of a long line before its first letter that is not ASCII
_SIGN = r"(?:[^\w\s.,;:/()'\u2019\-\"&+*]|[\u00aa\u00b2\u00b3\u00b9\u00ba])"
_IN_A_WORD = re.compile(rf"(?<=[^\W\d_]){_SIGN}(?=[^\W\d_])")
_LETTERS = re.compile(r"[^\W\d_]{3,}")


def detect(file: BinaryIO) -> str:
    """The most likely encoding, "" where none is."""
    sample = _sample(file.read(READ_BYTES))
    found = list(from_bytes(sample, cp_isolation=CANDIDATES, enable_fallback=False))
    if not found:
        return ""
    least = min(match.chaos for match in found)
    likely = [match for match in found if match.chaos <= least + AS_LIKELY]
    best = min(
        likely, key=lambda match: (_mess(str(match)), -match.coherence, CANDIDATES.index(match.encoding))
    )
    return known_name(best.encoding)


def _sample(data: bytes) -> bytes:
    """The first lines that have more than ASCII: the others say nothing."""
    sample = bytearray()
    for line in data.splitlines(keepends=True):
        if line.isascii():
            continue
        first = next(place for place, byte in enumerate(line) if byte > 0x7F)
        start = max(first - BEFORE, 0)
        sample += line[start : start + SAMPLE_BYTES - len(sample)]
        if len(sample) >= SAMPLE_BYTES:
            break
    return bytes(sample) or data[:SAMPLE_BYTES]


def _mess(text: str) -> int:
    """Signs and single capitals in the middle of words."""
    words: list[str] = [word for word in _LETTERS.findall(text) if not word.isascii()]
    capitals = sum(
        word[at].isupper() and word[at - 1].islower() and word[at + 1].islower()
        for word in words
        for at in range(1, len(word) - 1)
    )
    return len(_IN_A_WORD.findall(text)) + capitals
