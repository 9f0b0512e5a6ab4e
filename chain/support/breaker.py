"""A server that hangs costs one caller its deadline, and not each of them. It knows no Django."""

import logging
import threading
import time

logger = logging.getLogger(__name__)

PAUSE = 10.0
"""Seconds until what has failed is asked again, by one caller."""


class Breaker:
    """Whether something may be asked. The threads of a process share one for each thing."""

    def __init__(self, name: str) -> None:
        self._name, self._lock, self._closed_until = name, threading.Lock(), 0.0

    def may_ask(self) -> bool:
        """False for the seconds after a failure. Then the first to come asks, and the others still wait."""
        with self._lock:
            now = time.monotonic()
            if now < self._closed_until:
                return False
            if self._closed_until:
                self._closed_until = now + PAUSE
            return True

    def note_failure(self, error: Exception) -> None:
        """Ask no more for a while."""
        with self._lock:
            first, self._closed_until = not self._closed_until, time.monotonic() + PAUSE
        if first:
            text = f"{type(error).__name__}: {error}"
            logger.warning("%s fails (%s): it is not asked for some seconds", self._name, text[:200])

    def note_answer(self) -> None:
        """Go on as before."""
        with self._lock:
            again, self._closed_until = bool(self._closed_until), 0.0
        if again:
            logger.warning("%s works again", self._name)
