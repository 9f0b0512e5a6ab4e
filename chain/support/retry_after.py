"""`Retry-After` (RFC 9110, 10.2.3): a server that says when to come again is left alone until then."""

import logging
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

logger = logging.getLogger(__name__)

LONGEST = 600.0
"""Seconds. A server that asks for more is asked again after that."""


class Pauses:
    """Until when this process asks which server nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def seconds_left(self, server: str) -> float:
        """Seconds that a server still wants to be left alone; 0 if it may be asked."""
        with self._lock:
            left = self._until.get(server, 0.0) - time.monotonic()
            if left <= 0:
                self._until.pop(server, None)
        return max(left, 0.0)

    def note(self, server: str, error: BaseException) -> None:
        """Take the pause out of the answer that an error of `requests` carries, if it has one."""
        response: Any = getattr(error, "response", None)
        if response is None or response.status_code not in (429, 503):
            return
        seconds = seconds_of(response.headers.get("Retry-After", ""), response.headers.get("Date", ""))
        if seconds > 0:
            logger.warning("%s: asked to come again in %.0f seconds", server, seconds)
            with self._lock:
                self._until[server] = time.monotonic() + seconds


def seconds_of(retry_after: str, date: str = "") -> float:
    """Return the seconds that a `Retry-After` asks for, at most LONGEST; 0 for none and for nonsense.

    A date is compared with the answer's own `Date`: the clocks may differ.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST)
    try:
        then = parsedate_to_datetime(text)
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return min(max((then - now).total_seconds(), 0.0), LONGEST)
    except (ValueError, TypeError):
        return 0.0
