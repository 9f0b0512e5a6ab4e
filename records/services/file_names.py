"""Names for files that leave the portal: the same words, and nothing that a system or a header trips over."""

import unicodedata

from pathvalidate import sanitize_filename

NAME_BYTES_MAX = 180  # of 255 that file systems allow: the rest is for what is put before or behind
EXTENSION_MAX = 12
JOINERS = "\u200c\u200d"  # words of some scripts, and some emoji, are written with them


def safe_name(name: str, otherwise: str = "file", *, most: int = NAME_BYTES_MAX) -> str:
    """A file name that every system takes, in NFC: one line, no path, no reserved word, at most `most` bytes.

    What shows a name other than it is (control and bidirectional characters) goes. The extension stays.
    """
    stem, ending = split_name(_visible(name))
    stem = _cut(stem, most - len(ending.encode()) - 1).strip(" .") or otherwise
    cleaned = sanitize_filename(stem + ending, platform="universal", replacement_text="_")  # may add a "_"
    return cleaned.strip(" .") or otherwise


def split_name(name: str) -> tuple[str, str]:
    """Stem and ending, the dot with the ending. What is no extension belongs to the stem."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > EXTENSION_MAX or not extension.isalnum():
        return name, ""
    return stem, dot + extension


def _visible(name: str) -> str:
    kept = (
        letter if letter in JOINERS or not unicodedata.category(letter).startswith("C") else " "
        for letter in unicodedata.normalize("NFC", name)
    )
    return " ".join("".join(kept).split())


def _cut(text: str, length: int) -> str:
    """At most so many bytes of UTF-8, whole characters."""
    return text.encode()[:length].decode(errors="ignore")
