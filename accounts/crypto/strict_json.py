"""The one reader of JSON from others (docs/FORMAT.md, "Checks that every reader makes").

Readers of JSON differ on names that stand twice, on NaN, on numbers without end and on
halves of a character. This reader refuses all of these, so each text has one meaning or none.
"""

import json
import re
from datetime import date
from typing import Any, NoReturn

from accounts.crypto.errors import BadJson

DEPTH_MAX = 16
"""Objects and lists inside each other, the outermost counted."""
NUMBER_MAX = 2**63 - 1
_DIGITS_MAX = len(str(NUMBER_MAX))
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[{\]}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HEX = re.compile(r"[0-9a-f]*")


class JsonObject:
    """An object's fields, each read as what it has to be. Every failure is a BadJson."""

    def __init__(self, values: Any) -> None:
        if not isinstance(values, dict):
            raise BadJson("an object is expected")
        self._values: dict[str, Any] = values

    def is_null(self, name: str) -> bool:
        """Whether the field is null. A field that is absent is refused: null is written out."""
        return self._value(name) is None

    def text(self, name: str, *, most: int) -> str:
        """Text of at most `most` characters, without U+0000."""
        return _text(self._value(name), name, most)

    def texts(self, name: str, *, most: int, most_each: int) -> tuple[str, ...]:
        """A list of at most `most` texts."""
        return tuple(_text(item, name, most_each) for item in self.items(name, most=most))

    def items(self, name: str, *, most: int) -> list[Any]:
        """A list of at most `most` values."""
        value = self._value(name)
        if not isinstance(value, list) or len(value) > most:
            raise BadJson(f"{name}: a list of at most {most} is expected")
        return value

    def number(self, name: str, *, least: int = 0, most: int = NUMBER_MAX) -> int:
        """A whole number in these bounds, both included; true and false are none."""
        return whole_number(self._value(name), name, least=least, most=most)

    def constant(self, name: str, expected: int | str) -> None:
        """The field has exactly this value and type."""
        value = self._value(name)
        if type(value) is not type(expected) or value != expected:
            raise BadJson(f"{name}: {expected} is expected")

    def hex_bytes(self, name: str, length: int) -> bytes:
        """So many bytes as lower-case hex, nothing between the digits."""
        return hex_bytes(self._value(name), name, length)

    def day(self, name: str) -> date | None:
        """A day of the calendar as YYYY-MM-DD, or null."""
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise BadJson(f"{name}: YYYY-MM-DD is expected")
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise BadJson(f"{name}: the calendar has no such day") from error

    def _value(self, name: str) -> Any:
        if name not in self._values:
            raise BadJson(f"{name} is missing")
        return self._values[name]


def read_object(data: bytes, *, most: int) -> JsonObject:
    """The object in at most `most` bytes of JSON. Raises BadJson."""
    return JsonObject(decode_object(data, most=most))


def decode_object(data: bytes, *, most: int) -> dict[str, Any]:
    """The values in at most `most` bytes of JSON, which is an object. Raises BadJson.

    Spaces around and inside, the order of names and names that nobody knows are the writer's matter.
    """
    if len(data) > most:
        raise BadJson(f"at most {most} bytes are expected")
    try:
        text = data.decode()
        _check_depth(text)
        value = json.loads(
            text,
            parse_int=_number,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            object_pairs_hook=_unique,
        )
    except ValueError as error:
        raise BadJson("not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise BadJson("an object is expected")
    if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise BadJson("half of a character stands alone")
    return value


def whole_number(value: Any, name: str, *, least: int, most: int) -> int:
    """The value, if it is a whole number in these bounds. Raises BadJson."""
    if type(value) is not int or not least <= value <= most:
        raise BadJson(f"{name}: a whole number from {least} to {most} is expected")
    return value


def hex_bytes(value: Any, name: str, length: int) -> bytes:
    """The bytes behind so many lower-case hex digits. Raises BadJson."""
    if not isinstance(value, str) or len(value) != 2 * length or not _HEX.fullmatch(value):
        raise BadJson(f"{name}: {length} bytes in lower-case hex are expected")
    return bytes.fromhex(value)


def _text(value: Any, name: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or "\x00" in value:
        raise BadJson(f"{name}: text of at most {most} characters without a zero is expected")
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in "[{":
            depth += 1
        elif match[0] in "]}":
            depth -= 1
        if depth > DEPTH_MAX:
            raise BadJson(f"more than {DEPTH_MAX} lists and objects inside each other")


def _number(digits: str) -> int:
    if digits.startswith("-") or len(digits) > _DIGITS_MAX or int(digits) > NUMBER_MAX:
        raise BadJson(f"a number is a whole one from 0 to {NUMBER_MAX}")
    return int(digits)


def _refuse_number(_: str) -> NoReturn:
    raise BadJson(f"a number is a whole one from 0 to {NUMBER_MAX}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise BadJson("a name stands twice")
    return values
