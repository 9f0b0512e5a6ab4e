"""JSON in one form, padded so that its length says little: what descriptions, terms and reasons are."""

import json
from typing import Any

STEP = 1024


def encode_json(value: dict[str, Any]) -> bytes:
    """UTF-8, names sorted, no white space between, then spaces up to a multiple of 1,024 bytes.

    Raises ValueError for what UTF-8 or JSON cannot say (lone surrogates, NaN).
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    plain = text.encode()
    return plain.ljust(-(-len(plain) // STEP) * STEP)


def decode_json(data: bytes) -> dict[str, Any]:
    """The object in padded JSON. Raises ValueError."""
    value = json.loads(data.decode())
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
