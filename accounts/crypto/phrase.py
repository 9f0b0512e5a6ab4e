"""Recovery phrases: BIP-39, English, 24 words for 32 bytes of entropy."""

import re
import secrets
import unicodedata
from functools import cache

from mnemonic import Mnemonic

from accounts.crypto.derivation import require_length
from accounts.crypto.errors import PhraseError
from chain.support.pasted_text import visible

ENTROPY_BYTES = 32
WORDS = 24


def new_entropy() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(ENTROPY_BYTES)


def phrase_of(entropy: bytes) -> str:
    """The 24 words of 32 bytes of entropy, lower case, one space between."""
    return str(_bip39().to_mnemonic(require_length("entropy", entropy, ENTROPY_BYTES)))


def entropy_of(phrase: str) -> bytes:
    """Return the 32 bytes behind a typed or pasted phrase. Raises PhraseError, whose text is for that person.

    Case, white space, numbers before the words and what cannot be seen do not matter.
    """
    words = words_of(phrase)
    if len(words) != WORDS:
        raise PhraseError(f"{WORDS} words are needed, {len(words)} given.")
    for place, word in enumerate(words, start=1):
        if word not in _known_words():
            raise PhraseError(f"Word {place}, '{word}', is not in the list of words.")
    try:
        return bytes(_bip39().to_entropy(words))
    except ValueError as error:
        raise PhraseError(
            "All words are in the list, but they do not belong together: one is wrong, or the order is."
        ) from error


def words_of(phrase: str) -> list[str]:
    """Return the words of a phrase without the numbers, dots, commas and quotes that lists and paper add."""
    return re.findall(r"[^\W\d_]+", visible(unicodedata.normalize("NFKC", phrase)).lower())


@cache
def _bip39() -> Mnemonic:
    return Mnemonic("english")


@cache
def _known_words() -> frozenset[str]:
    return frozenset(_bip39().wordlist)
