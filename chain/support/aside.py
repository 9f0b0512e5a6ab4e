"""A request's turn to run. Code that waits for another program gives it away, so that other requests run.

The web server sets how (medrec.server). Elsewhere, in workers and commands, nothing happens.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar

StepAside = Callable[[], AbstractContextManager[None]]

_step_aside: ContextVar[StepAside] = ContextVar("_step_aside", default=nullcontext)


def step_aside() -> AbstractContextManager[None]:
    """Return a context manager: inside it this thread waits, and holds no turn."""
    return _step_aside.get()()


def set_step_aside(function: StepAside) -> None:
    """Say how the requests of this thread step aside."""
    _step_aside.set(function)
