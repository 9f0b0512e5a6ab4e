"""Recovery phrases: BIP-39, English, 24 words for 32 bytes of entropy."""

import secrets
from functools import cache

from mnemonic import Mnemonic

from accounts.crypto.derivation import require_length
from accounts.crypto.errors import PhraseError

ENTROPY_BYTES = 32
WORDS = 24


def new_entropy() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(ENTROPY_BYTES)


def phrase_of(entropy: bytes) -> str:
    """The 24 words of 32 bytes of entropy, lower case, one space between."""
    return str(_bip39().to_mnemonic(require_length("entropy", entropy, ENTROPY_BYTES)))


def entropy_of(phrase: str) -> bytes:
    """The 32 bytes behind a typed phrase; case and white space do not matter.

    Raises PhraseError, whose text tells the person what to look at.
    """
    words = phrase.lower().split()
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


@cache
def _bip39() -> Mnemonic:
    return Mnemonic("english")


@cache
def _known_words() -> frozenset[str]:
    return frozenset(_bip39().wordlist)
