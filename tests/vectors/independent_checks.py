"""The checks of docs/FORMAT.md once more, with a JSON reader of its own. What fails one raises Refusal."""

import calendar
import hashlib
import re
import struct
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from eth_hash.auto import keccak

from tests.vectors import independent

STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"')
ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
WORDS = {"true": True, "false": False, "null": None}


class Refusal(Exception):
    """What no reader may use."""


def need(condition: object) -> None:
    """Refuse unless the condition holds."""
    if not condition:
        raise Refusal


class Json:
    """A reader of one object, token by token."""

    def __init__(self, data: bytes) -> None:
        need(len(data) <= 65_536)
        try:
            self.text, self.at = data.decode("utf-8", "strict"), 0
        except UnicodeDecodeError as error:
            raise Refusal from error

    def whole(self) -> dict[str, Any]:
        """The object, with nothing after it."""
        value = self.value(0)
        self.space()
        need(self.at == len(self.text) and isinstance(value, dict))
        return dict(value)

    def space(self) -> None:
        """Skip white space."""
        while self.text[self.at : self.at + 1] in (" ", "\t", "\r", "\n"):
            self.at += 1

    def take(self, mark: str) -> bool:
        """Take this if it comes next, and return whether it did."""
        self.space()
        taken = self.text.startswith(mark, self.at)
        self.at += len(mark) * taken
        return taken

    def value(self, depth: int) -> Any:
        """Any value, inside so many lists and objects."""
        if self.take("{"):
            return self.members(depth + 1)
        if self.take("["):
            return self.elements(depth + 1)
        if self.text.startswith('"', self.at):
            return self.string()
        for word, value in WORDS.items():
            if self.take(word):
                return value
        number = NUMBER.match(self.text, self.at)
        need(number and int(number[0]) < 1 << 63)
        assert number is not None
        self.at = number.end()
        need(self.text[self.at : self.at + 1] not in (".", "e", "E"))
        return int(number[0])

    def members(self, depth: int) -> dict[str, Any]:
        """An object's, after its brace."""
        need(depth <= 16)
        values: dict[str, Any] = {}
        if self.take("}"):
            return values
        while True:
            self.space()
            name = self.string()
            need(name not in values and self.take(":"))
            values[name] = self.value(depth)
            if self.take("}"):
                return values
            need(self.take(","))

    def elements(self, depth: int) -> list[Any]:
        """A list's, after its bracket."""
        need(depth <= 16)
        values: list[Any] = []
        if self.take("]"):
            return values
        while True:
            values.append(self.value(depth))
            if self.take("]"):
                return values
            need(self.take(","))

    def string(self) -> str:
        """Text in quotes, its escapes resolved and its halves of characters joined."""
        match = STRING.match(self.text, self.at)
        need(match)
        assert match is not None
        self.at = match.end()
        plain = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _unescape, match[1])
        try:
            return plain.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            raise Refusal from error


def _unescape(match: "re.Match[str]") -> str:
    escape = match[1]
    return chr(int(escape[1:], 16)) if escape[0] == "u" else ESCAPES.get(escape, escape)


def text(most: int) -> Callable[[Any], bool]:
    """Text of so many characters."""
    return lambda value: isinstance(value, str) and len(value) <= most and chr(0) not in value


def number(most: int) -> Callable[[Any], bool]:
    """A whole number up to this one."""
    return lambda value: isinstance(value, int) and value is not True and value is not False and value <= most


def hexed(value: Any) -> bool:
    """32 bytes."""
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def day(value: Any) -> bool:
    """A day of the calendar."""
    match = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", value) if isinstance(value, str) else None
    if match is None:
        return False
    year, month, number_in_month = (int(part) for part in match.groups())
    return year > 0 and 0 < month < 13 and 0 < number_in_month <= calendar.monthrange(year, month)[1]


def null_or(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Null, or what passes."""
    return lambda value: value is None or check(value)


def codes(value: Any) -> bool:
    """A list of codes."""
    return isinstance(value, list) and len(value) <= 256 and all(map(text(64), value))


DESCRIPTION = {
    "format": lambda value: number(1)(value) and value == 1, "title": text(1000), "kind": text(64),
    "file_name": text(1000), "media_type": text(255), "service_date": null_or(day), "size": number(1 << 48),
    "sha256": hexed, "content_key": hexed, "content_salt": hexed, "content_length": number((1 << 63) - 1),
    "previous_data_key": null_or(hexed),
}  # fmt: skip
TERMS = {
    "purpose": text(64), "kinds": codes, "permissions": lambda value: number(3)(value) and value in (1, 3),
    "days": null_or(number(36_525)), "first_date": null_or(day), "last_date": null_or(day),
    "note": text(10_000),
}  # fmt: skip


def fields(data: bytes, checks: dict[str, Callable[[Any], bool]]) -> dict[str, Any]:
    """The object's fields that the format knows, each checked."""
    values = Json(data).whole()
    need(set(checks) <= set(values) and all(check(values[name]) for name, check in checks.items()))
    return {name: values[name] for name in checks}


def description(data: bytes) -> dict[str, Any]:
    """A description."""
    values = fields(data, DESCRIPTION)
    need(values["content_length"] == 70 + values["size"] + 16 * max(1, (values["size"] + 65_535) // 65_536))
    return values


def terms(data: bytes) -> dict[str, Any]:
    """Terms of a request or grant."""
    return fields(data, TERMS)


def reason(data: bytes) -> str:
    """A reason's text."""
    return str(fields(data, {"text": text(10_000)})["text"])


def rows(data: bytes, head: int, count: str, left: int, right: int) -> tuple[dict[bytes, bytes], bytes]:
    """Counted rows that rise by their first field, and the rest."""
    need(len(data) >= head + struct.calcsize(count))
    (many,) = struct.unpack_from(count, data, head)
    at, found = head + struct.calcsize(count), dict[bytes, bytes]()
    need(many > 0 and len(data) - at >= many * (left + right))
    for _ in range(many):
        name = data[at : at + left]
        need(not found or max(found) < name)
        found[name] = data[at + left : at + left + right]
        at += left + right
    return found, data[at:]


def folder_payload(data: bytes) -> tuple[dict[bytes, bytes], dict[str, Any]]:
    """Secrets by packed epoch, and terms."""
    secrets, rest = rows(data, 0, ">H", 4, 32)
    need(len({epoch[:2] for epoch in secrets}) == len(secrets))
    return secrets, terms(rest)


def record_payload(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """A data key, and terms."""
    need(len(data) >= 32)
    return data[:32], terms(data[32:])


def selection_payload(data: bytes, patient: bytes, scope: bytes) -> dict[bytes, bytes]:
    """Data keys by record, of the selection that has this scope."""
    keys, rest = rows(data, 32, ">I", 32, 32)
    terms(rest)
    need(len(keys) <= 10_000 and keccak(patient + data[:32] + b"".join(keys)) == scope)
    return keys


def inbox_payload(data: bytes) -> bytes:
    """A data key alone."""
    need(len(data) == 32)
    return data


def envelope_list(data: bytes) -> list[bytes]:
    """The list's entries."""
    need(len(data) <= 1 << 20 and data[:5] == b"MDRL\x01" and len(data) > 9 and len(data) % 84 == 9)
    entries = [data[at : at + 84] for at in range(9, len(data), 84)]
    places = [entry[:52] for entry in entries]
    need(struct.unpack(">I", data[5:9])[0] == len(entries) and sorted(set(places)) == places)
    return entries


def envelope(seed: bytes, info: bytes, data: bytes) -> bytes:
    """Open an envelope."""
    need(len(data) >= 1137 and data[0] == 1)
    try:
        return independent.open_sealed(seed, info, data)
    except (InvalidTag, ValueError) as error:
        raise Refusal from error


def wrapped_secret(folder_key: bytes, record: bytes, data: bytes) -> bytes:
    """A data key."""
    need(len(data) == 40)
    try:
        return independent.unwrap(
            independent.hkdf(folder_key, independent.label("record-wrap") + record), data
        )
    except ValueError as error:
        raise Refusal from error


def folder_name(folder_key: bytes, data: bytes) -> str:
    """A name."""
    need(len(data) == 288)
    key = independent.hkdf(folder_key, independent.label("folder-name"))
    try:
        plain = independent.gcm_open(key, data[4:16], data[16:], data[:4])
        name = plain[: plain.index(0)]
        need(0 < len(name) <= 255 and not any(plain[len(name) :]))
        return name.decode()
    except (InvalidTag, ValueError) as error:
        raise Refusal from error


def file(key: bytes, role: int, record: bytes, data: bytes) -> bytes:
    """The plaintext of an MDR1 file."""
    body = len(data) - 70
    chunks = -(-body // 65_552)
    need(chunks > 0 and (body - 65_552 * (chunks - 1) > 16 or (chunks == 1 and body == 16)))
    try:
        return independent.open_mdr1(key, role, record, data)
    except (InvalidTag, ValueError) as error:
        raise Refusal from error


def content(described: bytes, record: bytes, data: bytes) -> bytes:
    """A content, by its description."""
    values = description(described)
    need(len(data) == values["content_length"] and data[6:38].hex() == values["content_salt"])
    plain = file(bytes.fromhex(values["content_key"]), 1, record, data)
    need(hashlib.sha256(plain).hexdigest() == values["sha256"])
    return plain


BOUNDS = {"memory_kib": (65_536, 1_048_576), "passes": (3, 16), "lanes": (1, 16)}
LENGTHS = {"salt": 16, "nonce": 12, "ciphertext": 48}


def vault(data: bytes) -> dict[str, Any]:
    """A sealed vault's fields."""
    values = Json(data).whole()
    need({"format", "kdf", *BOUNDS, *LENGTHS} <= set(values))
    need(values["format"] is not True and values["format"] == 1 and values["kdf"] == "argon2id")
    need(all(number(most)(values[name]) and values[name] >= least for name, (least, most) in BOUNDS.items()))
    for name, length in LENGTHS.items():
        need(isinstance(values[name], str) and re.fullmatch(f"[0-9a-f]{{{2 * length}}}", values[name]))
    return values


LOW_ORDER = {
    0,
    1,
    2**255 - 20,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
}
"""The points of low order on Curve25519 and its twist, reduced."""


def published_key(data: bytes) -> bytes:
    """A key to which something may be sealed."""
    need(len(data) == 1217 and data[0] == 1)
    bits = int.from_bytes(data[1:1153], "little")
    need(all(bits >> 12 * at & 0xFFF < 3329 for at in range(768)))
    point = int.from_bytes(data[1185:], "little") & (1 << 255) - 1
    need(point % (2**255 - 19) not in LOW_ORDER)
    return data
