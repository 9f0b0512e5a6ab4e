"""Processes of a scenario with clocks of their own, which the scenario steps while they run.

They are forked, so libfaketime cannot reach them; tests/run/test_clocks.py does that with the whole portal.
"""

import multiprocessing
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.utils import timezone


class Clock:
    """How far a process's clock is ahead of the real one; seen by the process at once."""

    def __init__(self) -> None:
        self._seconds = multiprocessing.get_context("fork").Value("d", 0.0)

    def set(self, offset: timedelta) -> None:
        """Step it."""
        self._seconds.value = offset.total_seconds()

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function by this clock. In a process that ends with it."""
        real_now, real_time = timezone.now, time.time

        def now() -> datetime:
            return datetime.now(UTC) + timedelta(seconds=self._seconds.value)

        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if field.default is real_now:
                    field.default = now
                    field.__dict__.pop("_get_default", None)
        timezone.now = now
        time.time = lambda: real_time() + self._seconds.value
        return function(*args)
