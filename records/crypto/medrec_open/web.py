"""Questions over HTTP. One that is refused for now is asked again after a wait."""

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import BinaryIO, TypeVar, cast

from .errors import Busy, Refused

T = TypeVar("T")
TRIES = 10
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0  # seconds
TIMEOUT = 60  # seconds
_BUSY = (408, 425, 429, 500, 502, 503, 504)


def waits(tries: int = TRIES) -> Iterator[float]:
    """Seconds before each further try."""
    return (min(FIRST_WAIT * 2**number, LONGEST_WAIT) for number in range(tries - 1))


def patiently(question: Callable[[], T], tries: int = TRIES) -> T:
    """The answer, asked for again while the other side is busy. Raises Refused."""
    for wait in waits(tries):
        try:
            return question()
        except Busy as busy:
            pause(wait, busy)
    return question()


def pause(wait: float, busy: Busy) -> None:
    """Wait, as long as the other side asks for where it does."""
    wait = min(max(wait, busy.wait), LONGEST_WAIT)
    if wait >= 2:
        sys.stderr.write(f"medrec-open: {busy}; asking again in {wait:.0f} seconds\n")
    time.sleep(wait)


def fetch(url: str, body: bytes | None = None, busy: tuple[int, ...] = _BUSY) -> BinaryIO:
    """The answer to a GET, or to a POST of JSON. Raises Refused, and Busy for these statuses."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        return cast(BinaryIO, urllib.request.urlopen(request, timeout=TIMEOUT))  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            if error.code not in busy:
                raise Refused(
                    f"{url} answers {error.code}: {error.read(300).decode(errors='replace')}"
                ) from error
            after = error.headers.get("Retry-After", "")
        raise Busy(f"{url} answers {error.code}", float(after) if after.isdecimal() else 0) from error
    except (OSError, HTTPException) as error:
        raise Busy(f"{url} does not answer: {type(error).__name__}: {error}") from error
    except ValueError as error:
        raise Refused(f"{url} cannot be asked: {error}") from error
