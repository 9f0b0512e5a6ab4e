"""Text is read in the encoding that is declared, else detected, else chosen; and says which, and why."""

import codecs
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.media_types import media_type_of
from records.previews.encodings import CHOICES, declared, decode, known_name, utf16_without_mark
from records.previews.kinds import HEAD_BYTES, Kind, look_at
from records.previews.text import Text, read_text
from tests.records.previews.asking import Asking

POLISH = "Zażółć gęślą jaźń. Wyniki: żelazo niskie, ciśnienie wysokie."
GERMAN = "Befund: Größe 1,78 m, Übergewicht."
RUSSIAN = "Кровь: гемоглобин низкий, давление высокое"
FRENCH = "Résultat élevé, à contrôler dès le mois de février"
GREEK = "Η πίεση είναι υψηλή και ο αιματοκρίτης χαμηλός"  # noqa: RUF001
CHINESE = "血压偏高需要复查。血红蛋白偏低。"
JAPANESE = "血圧が高いので、再検査が必要です。"


def read(data: bytes, chosen: str = "") -> Text:
    """As the page reads it, the decoder's process included."""
    return read_text(data, cut=False, chosen=chosen, detect=lambda: Asking(data).ask("encoding").decode())


def hl7(charset: str, encoding: str) -> bytes:
    """A message that names its character set in MSH-18."""
    header = rf"MSH|^~\&|LAB|A|P|B|20260301080000||ORU^R01|1|P|2.5||||||{charset}"
    return f"{header}\rPID|1||7\rOBX|1|ST|1^Żelazo||niskie łóć|||L|||F\r".encode(encoding)


@pytest.mark.parametrize(
    ("data", "encoding", "words"),
    [
        (hl7("8859/2", "iso-8859-2"), "iso-8859-2", "niskie łóć"),
        (hl7("8859/2~UNICODE UTF-8", "iso-8859-2"), "iso-8859-2", "niskie łóć"),
        (hl7("UNICODE UTF-8", "utf-8"), "utf-8", "niskie łóć"),
        (b"\x0b" + hl7("8859/2", "iso-8859-2"), "iso-8859-2", "niskie łóć"),
        (
            f"<?xml version='1.0' encoding='windows-1250'?><a>{POLISH}</a>".encode("cp1250"),
            "windows-1250",
            POLISH,
        ),
        (f"<html><head><meta charset=iso-8859-2></head>{POLISH}".encode("iso-8859-2"), "iso-8859-2", POLISH),
        (
            f'<html><meta http-equiv="Content-Type" content="text/html; charset=koi8-r">{RUSSIAN}'.encode(
                "koi8-r"
            ),
            "koi8-r",
            RUSSIAN,
        ),
        (f"01380006301\r\n01092062\r\n0403101{GERMAN}\r\n".encode("cp437"), "cp437", GERMAN),
        (f"01380006301\r\n01092063\r\n0403101{GERMAN}\r\n".encode("cp1252"), "windows-1252", GERMAN),
    ],
)
def test_what_the_file_says_is_how_it_is_read(data: bytes, encoding: str, words: str) -> None:
    text = read(data)
    assert words in text.text
    assert (text.encoding, text.why, text.said) == (encoding, "declared", "")


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        (POLISH, "cp1250"), (POLISH, "iso-8859-2"), (POLISH, "cp852"), ("Ból głowy, gorączka", "cp1250"),
        (GERMAN, "cp437"), (GERMAN, "cp850"), (GERMAN, "cp1252"), ("Müller", "cp437"), (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"), (RUSSIAN, "cp866"), (FRENCH, "cp850"), (GREEK, "cp1253"), (CHINESE, "gb18030"),
        (JAPANESE, "shift_jis"),
    ],
)  # fmt: skip
def test_what_no_file_says_is_detected(words: str, encoding: str) -> None:
    text = read(words.encode(encoding))
    assert (text.text, text.why) == (words, "detected")


@pytest.mark.parametrize("words", ["Ergebnis: Hämoglobin niedrig\r\n", RUSSIAN, POLISH, "Plain text 1"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_text_and_read(words: str, encoding: str) -> None:
    data = (words * 200).encode(encoding)
    look = look_at(data[:HEAD_BYTES])
    assert look is not None
    assert look.kind is Kind.TEXT
    assert media_type_of(data[:8192], name="a.txt") == media_type_of(data[:8192], name="a") == "text/plain"
    text = read(data)
    assert (text.text, text.encoding, text.why) == (words * 200, encoding, "detected")


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 100, b"\0\1\2\3" * 10, bytes(range(256)), b"\x7fELF\2\1\1\0" + b"\0" * 60,
        b"PK\3\4\n\0\0\0" * 8,
        b"\0\0\0\x18ftypisom\0\0\0\0isommp41", b"a\0b\0", b"", b"\0a",
    ],
)  # fmt: skip
def test_what_is_no_text_is_not_taken_for_utf16(data: bytes) -> None:
    assert utf16_without_mark(data) == ""


def test_an_encoding_that_does_not_fit_is_named_and_not_used() -> None:
    data = f"<?xml version='1.0' encoding='us-ascii'?><a>{POLISH}</a>".encode("cp1250")
    assert (read(data).said, POLISH in read(data).text) == ("us-ascii", True)
    moved = f"<?xml version='1.0' encoding='utf-16'?><a>{POLISH}</a>".encode()
    assert (read(moved).said, read(moved).encoding, POLISH in read(moved).text) == ("utf-16", "utf-8", True)
    wrong = hl7("UNICODE UTF-8", "iso-8859-2")
    assert (read(wrong).said, read(wrong).why) == ("UNICODE UTF-8", "detected")


def test_the_reader_has_the_last_word() -> None:
    text = read(hl7("8859/2", "cp1250"), chosen="windows-1250")
    assert "Żelazo" in text.text
    assert (text.encoding, text.why) == ("windows-1250", "chosen")
    assert read("Müller".encode("utf-16"), chosen="utf-16-le").text == "Müller"


def test_every_choice_reads_any_bytes_and_nothing_else_is_a_choice() -> None:
    for name in CHOICES:
        assert decode(bytes(range(256)) * 3, chosen=name).encoding == name
        assert known_name(name) == name
    for name in ("zip", "punycode", "unicode_escape", "idna", "rot13", "../x", ""):
        assert known_name(name) == ""
        assert decode(b"abc", chosen=name).why == "valid"


@given(st.binary(max_size=400))
def test_any_bytes_have_a_text_and_say_why(data: bytes) -> None:
    for start in (b"", b"MSH|^~", b"<?xml encoding='", b"<meta charset="):
        found = decode(start + data)
        assert found.why in ("mark", "declared", "valid", "detected", "default")
        assert isinstance(declared(start + data), str)


def test_detection_is_bounded_and_away_from_the_keys() -> None:
    """Of a line of a mebibyte a part is looked at, by the decoder, which alone loads the library."""
    asking = Asking(b"a" * 1024 * 1024 + "ż".encode("cp1250") * 50 + b"b" * 1024 * 1024)
    assert known_name(asking.ask("encoding").decode()) in (*CHOICES, "")
    assert sum(length for _, length in asking.reads) <= 1024 * 1024 + 512 * 1024
    code = "import records.services.previews, sys; print('records.previews.detecting' in sys.modules)"
    setup = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup(); "
    told = subprocess.run([sys.executable, "-c", setup + code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_marks_go_first() -> None:
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        text = read(mark + POLISH.encode(encoding))
        assert (text.text, text.why) == (POLISH, "mark")
