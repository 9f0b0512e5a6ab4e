"""JSON in one form, padded so that its length says little: what descriptions, terms and reasons are."""

import json
from typing import Any

STEP = 1024
BYTES_MAX = 64 * 1024
"""Bytes that a reader takes, the padding counted. `accounts.crypto.strict_json` is the reader."""


def encode_json(value: dict[str, Any]) -> bytes:
    """UTF-8, names sorted, no white space between, then spaces up to a multiple of 1,024 bytes.

    Raises ValueError for what UTF-8 or JSON cannot say (lone surrogates, NaN).
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    plain = text.encode()
    return plain.ljust(-(-len(plain) // STEP) * STEP)
