"""Bytes that others wrote, as values: the checks of docs/FORMAT.md, "Checks that every reader makes".

Each function gives a value or raises Refused, whatever the bytes are.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, BinaryIO, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import Refused
from .keys import hkdf

Json = dict[str, Any]
JSON_MAX, BLOCK_MAX, DEPTH_MAX, NUMBER_MAX = 1 << 16, 1 << 20, 16, (1 << 63) - 1
CHUNK, SEALED_CHUNK, HEADER, CHUNKS_MAX = 65536, 65552, 70, 1 << 32
CONTENT, DESCRIPTION = 1, 2
_Check = Callable[[Any], bool]


def _text(most: int) -> _Check:
    return lambda value: isinstance(value, str) and len(value) <= most and "\0" not in value


def _number(most: int) -> _Check:
    return lambda value: type(value) is int and 0 <= value <= most


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_day(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _or_null(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _codes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 256 and all(_text(64)(one) for one in value)


_DESCRIPTION: dict[str, _Check] = {
    "format": lambda value: type(value) is int and value == 1,
    "title": _text(1000),
    "kind": _text(64),
    "file_name": _text(1000),
    "media_type": _text(255),
    "service_date": _or_null(_is_day),
    "size": _number(CHUNKS_MAX * CHUNK),
    "sha256": _is_key,
    "content_key": _is_key,
    "content_salt": _is_key,
    "content_length": _number(NUMBER_MAX),
    "previous_data_key": _or_null(_is_key),
}
_TERMS: dict[str, _Check] = {
    "purpose": _text(64),
    "kinds": _codes,
    "permissions": lambda value: type(value) is int and value in (1, 3),
    "days": _or_null(_number(36525)),
    "first_date": _or_null(_is_day),
    "last_date": _or_null(_is_day),
    "note": _text(10_000),
}
_REASON: dict[str, _Check] = {"text": _text(10_000)}


def read_description(data: bytes) -> Json:
    """The fields of a description. Bytes stay hex. Raises Refused."""
    values = _read_object(data, "description", _DESCRIPTION)
    if values["content_length"] != file_size(values["size"]):
        raise Refused("description: size and length of the content do not belong together")
    return values


def read_terms(data: bytes) -> Json:
    """The terms of a request or grant. Raises Refused."""
    return _read_object(data, "terms", _TERMS)


def read_reason(data: bytes) -> str:
    """Why something was refused. Raises Refused."""
    return str(_read_object(data, "reason", _REASON)["text"])


def read_folder_payload(data: bytes) -> tuple[dict[int, bytes], Json]:
    """(secret by packed epoch, terms) of a granted folder. Raises Refused."""
    rows, rest = _read_rows(data, 0, 2, 4, 32)
    epochs = [int.from_bytes(epoch, "big") for epoch, _ in rows]
    if len({epoch >> 16 for epoch in epochs}) != len(rows) or not rows:
        raise Refused("a folder's payload has one secret of each generation")
    return dict(zip(epochs, (secret for _, secret in rows), strict=True)), read_terms(rest)


def read_record_payload(data: bytes) -> tuple[bytes, Json]:
    """(data key, terms) of a granted record. Raises Refused."""
    return read_data_key(data[:32]), read_terms(data[32:])


def read_selection_payload(data: bytes) -> tuple[bytes, dict[bytes, bytes], Json]:
    """(nonce, data key by record id, terms) of a granted selection. Raises Refused."""
    rows, rest = _read_rows(data, 32, 4, 32, 32)
    if not 0 < len(rows) <= 10_000:
        raise Refused("a selection has 1 to 10,000 records")
    return data[:32], dict(rows), read_terms(rest)


def read_data_key(data: bytes) -> bytes:
    """A payload that is a data key. Raises Refused."""
    if len(data) != 32:
        raise Refused("a data key has 32 bytes")
    return data


def read_list(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """(recipient, digest of its key, digest of the envelope) of each entry. Raises Refused."""
    count, rest = divmod(len(data) - 9, 84)
    head = b"MDRL\1" + max(count, 0).to_bytes(4, "big")
    if rest or count < 1 or data[:9] != head or len(data) > BLOCK_MAX:
        raise Refused("not a list of envelopes")
    rows = [data[at : at + 84] for at in range(9, len(data), 84)]
    if any(before[:52] >= after[:52] for before, after in itertools.pairwise(rows)):
        raise Refused("a list of envelopes out of order")
    return [(row[:20], row[20:52], row[52:]) for row in rows]


def read_name(folder_key: bytes, sealed: bytes) -> str:
    """A folder's name, under the key of the epoch that it begins with. Raises Refused."""
    if len(sealed) != 288:
        raise Refused("a sealed name has 288 bytes")
    try:
        plain = AESGCM(hkdf(folder_key, "folder-name")).decrypt(sealed[4:16], sealed[16:], sealed[:4])
        name = plain.rstrip(b"\0").decode()
    except (InvalidTag, UnicodeDecodeError) as error:
        raise Refused("not a name, or not this folder's") from error
    if not name or "\0" in name or plain[-1]:
        raise Refused("a folder's name has 1 to 255 bytes without a zero")
    return name


def file_size(size: int) -> int:
    """Bytes of the MDR1 file that holds so many."""
    return HEADER + size + 16 * max(1, -(-size // CHUNK))


def open_file(file: BinaryIO, key: bytes, role: int, record: bytes, salt: bytes = b"") -> Iterator[bytes]:
    """The plaintext of an MDR1 file. Each chunk is verified. Only the end shows that none is missing."""
    header = file.read(HEADER)
    salt = salt or header[6:38]
    if len(header) != HEADER or header[:38] != b"MDR1\1\1" + salt:
        raise Refused("not an MDR1 file, or not the one that is described")
    both = HKDF(hashes.SHA256(), 64, salt, header[:6] + bytes((role,)) + record).derive(key)
    if header[38:] != both[32:]:
        raise Refused("a file of another key or record")
    cipher, index, chunk = AESGCM(both[:32]), 0, file.read(SEALED_CHUNK)
    while chunk or not index:
        following = file.read(SEALED_CHUNK)
        if len(chunk) <= 16 and (index or len(chunk) < 16):
            raise Refused("no MDR1 file has this size: it was cut")
        try:
            yield cipher.decrypt(index.to_bytes(11, "big") + bytes((not following,)), chunk, None)
        except InvalidTag as error:
            raise Refused(f"chunk {index} was changed, moved or cut") from error
        index, chunk = index + 1, following


def _read_rows(
    data: bytes, head: int, count_bytes: int, left: int, right: int
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    first, width = head + count_bytes, left + right
    end = first + int.from_bytes(data[head:first], "big") * width
    if len(data) < max(first, end):
        raise Refused("a payload that was cut")
    rows = [(data[at : at + left], data[at + left : at + width]) for at in range(first, end, width)]
    if any(before[0] >= after[0] for before, after in itertools.pairwise(rows)):
        raise Refused("a payload out of order")
    return rows, data[end:]


def _read_object(data: bytes, what: str, checks: dict[str, _Check]) -> Json:
    values = read_json(data, what)
    for name, check in checks.items():
        if name not in values or not check(values[name]):
            raise Refused(f"{what}: {name} is missing or is not what it should be")
    return {name: values[name] for name in checks}


def read_json(data: bytes, what: str) -> Json:
    """An object of at most 64 KiB, with one meaning for every reader. Raises Refused."""
    if len(data) > JSON_MAX:
        raise Refused(f"{what}: more than {JSON_MAX} bytes")
    try:
        text = data.decode()
        _check_depth(text, what)
        value = json.loads(
            text, parse_int=_digits, parse_float=_no, parse_constant=_no, object_pairs_hook=_unique
        )
        json.dumps(value, ensure_ascii=False).encode()  # halves of characters cannot be encoded
    except Refused:
        raise
    except ValueError as error:
        raise Refused(f"{what}: not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise Refused(f"{what}: not an object")
    return value


def _check_depth(text: str, what: str) -> None:
    depth, in_string, escaped = 0, False, False
    for letter in text:
        if in_string:
            in_string, escaped = escaped or letter != '"', not escaped and letter == "\\"
        elif letter == '"':
            in_string = True
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        if depth > DEPTH_MAX:
            raise Refused(f"{what}: more than {DEPTH_MAX} lists and objects inside each other")


def _digits(text: str) -> int:
    if text[0] == "-" or len(text) > 19 or int(text) > NUMBER_MAX:
        raise Refused("a number that is too large or below zero")
    return int(text)


def _no(text: str) -> NoReturn:
    raise Refused(f"{text[:20]} is no whole number")


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Refused("a name stands twice")
    return values
