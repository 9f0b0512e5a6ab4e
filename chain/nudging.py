"""Asking a worker to look now; once for the many who ask within half a second."""

import logging
import time

from celery import current_app

logger = logging.getLogger(__name__)

APART = 0.5  # seconds between two nudges of one process


class Nudge:
    """Has a task run soon after it is asked for. The task also runs by the clock: a nudge may be lost."""

    def __init__(self, task: str, *, expires: int) -> None:
        self._task, self._expires = task, expires  # seconds
        self._comes = float("-inf")  # when the last one asked for arrives

    def give(self) -> None:
        """Nudge, unless one that was asked for is still to come. What a broker raises is logged, no more."""
        now = time.monotonic()
        if now < self._comes:
            return
        wait = max(0.0, self._comes + APART - now)
        self._comes = now + wait
        try:
            current_app.send_task(self._task, countdown=wait or None, expires=self._expires, retry=False)
        except Exception as problem:  # whatever it is must not undo what was accepted
            logger.warning("%s could not be nudged: %s", self._task, problem)
