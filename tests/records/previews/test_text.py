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
