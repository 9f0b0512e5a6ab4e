"""Recovery phrases: the published BIP-39 examples, and what a person may type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.crypto.errors import PhraseError
from accounts.crypto.phrase import entropy_of, new_entropy, phrase_of

LEGAL = "legal winner thank year wave sausage worth useful"
BIP39 = [
    ("00" * 32, "abandon " * 23 + "art"),
    ("7f" * 32, f"{LEGAL} {LEGAL} legal winner thank year wave sausage worth title"),
    ("ff" * 32, "zoo " * 23 + "vote"),
]
"""Entropy and phrase, from the test vectors that BIP-39 links (English, 256 bits)."""


@pytest.mark.parametrize(("entropy", "phrase"), BIP39)
def test_published_examples(entropy: str, phrase: str) -> None:
    assert phrase_of(bytes.fromhex(entropy)) == phrase
    assert entropy_of(phrase).hex() == entropy


@given(st.binary(min_size=32, max_size=32))
def test_a_phrase_gives_back_its_entropy(entropy: bytes) -> None:
    assert entropy_of(phrase_of(entropy)) == entropy


def test_case_and_white_space_do_not_matter() -> None:
    phrase = phrase_of(bytes(32))
    assert entropy_of("\n " + phrase.upper().replace(" ", " \t\n ") + "  ") == bytes(32)


def test_a_wrong_word_is_named_with_its_place() -> None:
    words = phrase_of(bytes(32)).split()
    words[6] = "abandom"
    with pytest.raises(PhraseError, match=r"^Word 7, 'abandom', is not in the list of words\.$"):
        entropy_of(" ".join(words))


@pytest.mark.parametrize("count", [0, 12, 23, 25])
def test_a_wrong_number_of_words_is_counted(count: int) -> None:
    with pytest.raises(PhraseError, match=rf"^24 words are needed, {count} given\.$"):
        entropy_of("abandon " * count)


def test_two_words_swapped_are_noticed() -> None:
    words = phrase_of(bytes(range(32))).split()
    words[3], words[4] = words[4], words[3]
    with pytest.raises(PhraseError, match="do not belong together"):
        entropy_of(" ".join(words))


def test_a_phrase_needs_all_its_entropy() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        phrase_of(bytes(16))


def test_new_entropy_is_new() -> None:
    assert len({new_entropy() for _ in range(100)}) == 100
