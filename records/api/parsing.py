"""JSON bodies: whatever JSON can say is read, or refused in words before any field is looked at."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

DEPTH_MAX = 100
TOO_DEEP = "The body is nested too deeply."
NOT_TEXT = (
    "The body holds text that cannot be stored: a zero character, or half of a character (a lone surrogate)."
)


class PlainJSONParser(JSONParser):
    """JSON whose text can be stored (UTF-8, no zero character) and whose depth is bounded."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the values. Raises ParseError (400)."""
        try:
            values = super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError(TOO_DEEP) from error
        for text in _texts(values):
            if not is_plain(text):
                raise ParseError(NOT_TEXT)
        return values


def is_plain(text: str) -> bool:
    """Return whether UTF-8 can write this text and every database can keep it."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _texts(values: Any) -> Iterator[str]:
    """Every name and every text in parsed JSON, without recursion. Raises ParseError."""
    waiting = [(values, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise ParseError(TOO_DEEP)
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value
            waiting += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list):
            waiting += [(each, depth + 1) for each in value]
