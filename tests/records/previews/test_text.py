"""Text as it is shown: nothing in it changed, and said so where something is left out."""

import pytest

from records.previews.text import COLUMNS_MAX, DEPTH_MAX, ROWS_MAX, indent_json, read_text


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Müller".encode(), "utf-8"),
        (b"\xef\xbb\xbf" + "Müller".encode(), "utf-8"),
        ("Müller".encode("utf-16"), "utf-16-le"),
        ("Müller".encode("windows-1252"), "windows-1252"),
    ],
)
def test_its_encoding_is_found(data: bytes, encoding: str) -> None:
    found = read_text(data, cut=False)
    assert (found.text, found.encoding) == ("Müller", encoding)


@pytest.mark.parametrize("encoding", ["windows-1251", "KOI8-R", "ISO-8859-5", "ISO-8859-16", "GB18030"])
def test_xml_says_its_encoding(encoding: str) -> None:
    words = "Ș" if encoding == "ISO-8859-16" else "Кровь"
    source = f"<?xml version='1.0' encoding='{encoding}'?><Letter>{words}</Letter>"
    assert read_text(source.encode(encoding), cut=False).text == source


def test_an_encoding_that_is_none_is_not_tried() -> None:
    source = b"<?xml version='1.0' encoding='zip'?><a>\xe4</a>"
    assert read_text(source, cut=False).encoding == "windows-1252"


def test_a_character_cut_in_two_is_left_out() -> None:
    found = read_text("Müll€".encode()[:-1], cut=True)
    assert (found.text, found.encoding, found.cut) == ("Müll", "utf-8", True)


def test_indenting_changes_white_space_alone() -> None:
    source = (
        '{"value":1.10,"big":1e400,"n":12345678901234567890, "a":1, "a":2,"s":"x, {y} \\" z","e":[],"o":{}}'
    )
    assert indent_json(source) == (
        '{\n  "value": 1.10,\n  "big": 1e400,\n  "n": 12345678901234567890,\n  "a": 1,\n  "a": 2,\n'
        '  "s": "x, {y} \\" z",\n  "e": [],\n  "o": {}\n}'
    )


@pytest.mark.parametrize("source", ["{not json}", "[" * 5000 + "]" * 5000, "[" * (DEPTH_MAX + 1), ""])
def test_what_is_no_json_or_too_deep_stays_as_it_is(source: str) -> None:
    assert indent_json(source) is None
    assert read_text(source.encode(), cut=False).text == source


def test_depth_does_not_multiply_the_text() -> None:
    source = "[" * DEPTH_MAX + ",".join(["1"] * 1000) + "]" * DEPTH_MAX
    assert len(indent_json(source) or "") < 200 * len(source)
    assert indent_json("[" + source + "]") is None


def test_csv_is_a_table_with_rows_of_one_length() -> None:
    found = read_text(b'name;value\n"Haemo;globin";11,1\nshort\n', cut=False, name="values.CSV")
    assert found.rows == [["name", "value"], ["Haemo;globin", "11,1"], ["short", ""]]
    assert not found.cut


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("1,5;2,5;3,5\n4,5;5,5;6,5\n", ["1,5", "2,5", "3,5"]),
        ("Hb;11,2\n\nEry;4,5\nLeu;6,7\n", ["Hb", "11,2"]),
        ("Hb;11,2;8,1;9,9\nEry;4,5\n", ["Hb", "11,2", "8,1", "9,9"]),
        ("1,2,3\n4,5,6\n", ["1", "2", "3"]),
        ('"a; b",1\n"c",2\n', ["a; b", "1"]),
        ("day\tHb, total\n1\t5,4\n", ["day", "Hb, total"]),
        ("1;5,4;6,5\n" * 2000, ["1", "5,4", "6,5"]),
    ],
)
def test_a_decimal_comma_cuts_no_number(source: str, row: list[str]) -> None:
    assert read_text(source.encode(), cut=False, name="values.csv").rows[0] == row


@pytest.mark.parametrize(
    "data", [b"a,b\n" * (ROWS_MAX + 1), b"a," * COLUMNS_MAX + b"b,c", b"a," + b"x" * 501]
)
def test_a_table_that_is_cut_says_so(data: bytes) -> None:
    found = read_text(data, cut=False, media_type="text/csv")
    assert found.cut
    assert len(found.rows) <= ROWS_MAX
    assert len(found.rows[0]) <= COLUMNS_MAX
    assert not read_text(b"a,b\n" * ROWS_MAX, cut=False, media_type="text/csv").cut


def test_what_only_calls_itself_a_table_is_text() -> None:
    assert read_text(b"one line without any", cut=False, name="values.csv").text == "one line without any"
