"""Between the chain's fields and this app's rows: no address is the zero address there and "" here."""

from datetime import UTC, datetime

ZERO_ADDRESS = "0x" + "0" * 40
ZERO_WORD = "0x" + "0" * 64


def address_field(address: str) -> str:
    """An address as an act has it."""
    return address or ZERO_ADDRESS


def address_row(address: str) -> str:
    """An address as a row has it."""
    return "" if address == ZERO_ADDRESS else address


def word_row(word: str) -> str:
    """A 32-byte id or digest as a row has it: "" for zero."""
    return "" if word == ZERO_WORD else word


def word(value: bytes | int) -> str:
    """32 bytes, or a number, as 0x and 64 hex digits."""
    data = value.to_bytes(32, "big") if isinstance(value, int) else value
    return "0x" + data.hex()


def raw(text: str) -> bytes:
    """The bytes of a 0x.. string."""
    return bytes.fromhex(text.removeprefix("0x"))


def moment(seconds: int) -> datetime:
    """Unix seconds as an aware datetime. What is too far for one is the last of them."""
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC)
