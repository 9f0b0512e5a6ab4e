# ruff: noqa: RUF001  (names of many scripts)
"""Addresses, phrases and names as people paste and type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.crypto.phrase import entropy_of, phrase_of, words_of
from chain.support.pasted_text import (
    NotAnAddress,
    can_be_seen,
    plain_address,
    plain_name,
    search_words,
    visible,
)

ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # of EIP-55
INVISIBLE = (
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u00a0\u2028\u202a\u202c\u2066\u2069\u180e\t\n\r "
)
NAMES = [
    "Asha Verma",
    "李",
    "李小龍",
    "أحمد بن علي",
    "می\u200cخواهم",
    "श्री\u200dमती",
    "क\u094dष",
    "Ó",
    "O'Brien",
    "D’Arcy",
    "Jean-Luc",
    "Nguyễn Thị Hạnh",
    "Þórdís",
    "Łukasz",
    "Iñigo",
    "Χρήστος",
    "Владимир",
    "שרה",
    "ธนพล",
    "김민준",
    "မောင်",
    "ʻOkina",
    "Mc Donald",
    "W" * 150,
    "de la Cruz y Ramírez",
    "\u200fאב",
    "👩\u200d⚕️ Amara",
]
UNSEEN = [
    "\u200b",
    "\u200d\u200c",
    "\u3164",
    "\u115f\u1160",
    "\uffa0",
    "\u2800",
    "\u0301",
    "\u00ad",
    "\u202e",
    " ",
    "\ufe0f",
]


@pytest.mark.parametrize(
    "text",
    [
        ADDRESS, ADDRESS.lower(), "0x" + ADDRESS[2:].upper(), "0X" + ADDRESS[2:], f"Ethereum:{ADDRESS}",
        f"ethereum:{ADDRESS}@1", f"ETHEREUM:{ADDRESS}@0x1", f"eip155:1:{ADDRESS}",
        f"did:pkh:eip155:1:{ADDRESS}",
        f"<{ADDRESS}>", f"“{ADDRESS}”", f"({ADDRESS}).", f"{ADDRESS},", f"{ADDRESS[:20]}\r\n  {ADDRESS[20:]}",
        f"{ADDRESS[:10]}\u200b{ADDRESS[10:]}", f"\u200e{ADDRESS}\u200f", f"\ufeff{ADDRESS}\u00a0",
        " ".join(ADDRESS[at : at + 4] for at in range(0, 42, 4)),
    ],
)  # fmt: skip
def test_an_address_is_taken_in_every_wrapping(text: str) -> None:
    assert plain_address(text) == ADDRESS


@given(st.lists(st.tuples(st.integers(0, 42), st.sampled_from(INVISIBLE)), max_size=12))
def test_nothing_invisible_spoils_an_address(places: list[tuple[int, str]]) -> None:
    text = ADDRESS
    for at, letter in places:
        text = text[:at] + letter + text[at:]
    assert plain_address(text) == ADDRESS


@given(st.text(max_size=80))
def test_any_other_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotAnAddress, match="An address is 0x"):
        plain_address(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ADDRESS[:-1] + "D", "probably mistyped"),
        (ADDRESS.swapcase().replace("0X", "0x"), "probably mistyped"),
        (ADDRESS[:-1], "40 digits"),
        (ADDRESS + "0", "40 digits"),
        (ADDRESS[2:], "40 digits"),
        (f"{ADDRESS} {ADDRESS}", "40 digits"),
        ("", "40 digits"),
    ],
)
def test_what_is_no_address_says_why(text: str, says: str) -> None:
    with pytest.raises(NotAnAddress, match=says):
        plain_address(text)


def test_a_phrase_may_be_pasted_with_its_numbers() -> None:
    entropy = bytes(range(32))
    words = phrase_of(entropy).split()
    shapes = [
        " ".join(f"{place} {word}" for place, word in enumerate(words, 1)),
        "\n".join(f"{place}. {word}" for place, word in enumerate(words, 1)),
        "\t".join(f"{place}){word.upper()}" for place, word in enumerate(words, 1)),
        ", ".join(words) + ".",
        f"“{chr(0xA0).join(words)}”\u200b",
        "\ufeff" + "\u200b ".join(words),
    ]
    for text in shapes:
        assert words_of(text) == words
        assert entropy_of(text) == entropy


@pytest.mark.parametrize("name", NAMES)
def test_names_of_all_scripts_stay_as_they_are(name: str) -> None:
    assert plain_name(name) == name
    assert can_be_seen(name)


@pytest.mark.parametrize("name", UNSEEN)
def test_names_that_nobody_can_see_are_known(name: str) -> None:
    assert not can_be_seen(name)
    assert not can_be_seen(plain_name(name))


def test_a_name_turns_no_words_around_it_and_is_one_line() -> None:
    assert plain_name("  Ruby\u202e\nHos\u00adpi\u200btal\u0007 ") == "Ruby Hospital"
    assert visible("a\u00a0\u3000b\u2028c") == "a b c"


def test_an_administrator_searches_by_what_was_pasted() -> None:
    assert search_words(f"<ethereum:{ADDRESS}@1>") == ADDRESS
    assert search_words(" Asha\u200b Verma ") == "Asha Verma"
