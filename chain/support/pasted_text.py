"""Text as people paste it, without what they cannot see; addresses in all the shapes that wallets give them.

Sources: EIP-55 (capitals as a checksum), EIP-681 (ethereum:), CAIP-10 (eip155:1:), did:pkh.
"""

import re
import unicodedata

from eth_utils.address import is_checksum_address, to_checksum_address

# Letters, symbols and marks by Unicode's categories that no font draws.
_BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
_BLANK = re.compile(f"[{_BLANKS}]")
_IN_NAMES = set("\u200c\u200d\u200e\u200f\u061c")
_TAGS = {chr(code) for code in range(0xE0020, 0xE0080)}  # flags of regions are written with them
_AROUND = re.compile(r"^[\W_]+|[\W_]+$")  # brackets, quotes, full stops
_PREFIX = re.compile(r"^(?:ethereum:|did:pkh:|eip155:\d+:)*(?=0x)", re.IGNORECASE)
_CHAIN = re.compile(r"@(?:\d+|0x[0-9a-f]+)$", re.IGNORECASE)
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)


class NotAnAddress(ValueError):
    """The text holds no address, or one that was mistyped; `str()` is for the person who pasted it."""


def is_invisible(letter: str) -> bool:
    """Return whether a character takes no ink: a control, format, separator or filler."""
    return unicodedata.category(letter)[0] in "CZ" or bool(_BLANK.match(letter))


def visible(text: str) -> str:
    """Return the text as it looks: spaces of any kind as one space, what cannot be seen left out."""
    spaced = "".join(" " if letter.isspace() else letter for letter in text)
    return " ".join("".join(each for each in spaced if each == " " or not is_invisible(each)).split())


def plain_name(text: str) -> str:
    """Return a name or title on one line, without control and bidirectional characters and stray blanks.

    What scripts need between their letters stays (joiners, and the marks for the direction of one character).
    """
    lines = "".join(" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in text)
    visible = (each for each in lines if each in _IN_NAMES | _TAGS or unicodedata.category(each) != "Cf")
    return " ".join("".join(visible).split())


def can_be_seen(text: str) -> bool:
    """Return whether at least one character of a name is drawn by itself."""
    return any(not is_invisible(each) and unicodedata.category(each)[0] != "M" for each in text)


def plain_address(text: str) -> str:
    """Return the address in a text, in EIP-55's capitals. Raises NotAnAddress.

    Small letters alone, or capitals alone, carry no checksum and are taken.
    """
    joined = _AROUND.sub("", visible(unicodedata.normalize("NFKC", text)).replace(" ", ""))
    bare = _AROUND.sub("", _CHAIN.sub("", _PREFIX.sub("", joined)))
    if not _ADDRESS.fullmatch(bare):
        raise NotAnAddress("An address is 0x followed by 40 digits and letters a to f.")
    digits = bare[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address("0x" + digits):
        raise NotAnAddress(
            "This address was probably mistyped: its capital and small letters do not belong together. "
            "Copy it again."
        )
    return str(to_checksum_address("0x" + digits))


def search_words(text: str) -> str:
    """Return what an administrator looks for: an address without its wrapping, other words as they look."""
    try:
        return plain_address(text)
    except NotAnAddress:
        return visible(text)
