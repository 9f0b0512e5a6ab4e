"""Whether what the portal stands on answers: asked side by side, each with a limit, kept for a moment.

Whoever asks gets an answer in time: a check that hangs is reported as such, and is not started a second time
while it hangs. Apps above register checks of their own.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from django.db import connections

log = logging.getLogger(__name__)

LIMIT = 2.0  # seconds a check may take
BRIEF = 0.2  # seconds it may take where its last answer was bad: who asks often must not fill the web server
KEPT = 1.0  # seconds an answer is kept, however often it is asked for


class Unhealthy(Exception):
    """A check failed; the text is a short reason without addresses or names: strangers read it."""


@dataclass(frozen=True)
class Answer:
    """What a check found. `reason` is empty when it is well."""

    name: str
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Return whether all is well."""
        return not self.reason


class HealthCheck:
    """One check: its run in a thread, and its newest answer."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self.name = name
        self._run = run
        self._lock = threading.Lock()
        self._running: Future[Answer] | None = None
        self._ended = 0.0
        self._last = Answer(name)

    @property
    def limit(self) -> float:
        """Seconds to wait for it."""
        return LIMIT if self._last.ok else BRIEF

    def start(self, pool: ThreadPoolExecutor) -> "Future[Answer]":
        """Return the run under way, one that ended a moment ago, or a new one."""
        with self._lock:
            run = self._running
            if run is None or (run.done() and time.monotonic() - self._ended >= KEPT):
                run = self._running = pool.submit(self._ask)
            return run

    def answer(self, run: "Future[Answer]") -> Answer:
        """Return what a run found, if it has ended; else the last bad answer, or that it takes too long."""
        if run.done():
            return run.result()
        if self._last.ok:
            self._last = Answer(self.name, f"no answer within {LIMIT:g} seconds")
        return self._last

    def forget(self) -> None:
        """Ask anew the next time."""
        with self._lock:
            self._running, self._last = None, Answer(self.name)

    def _ask(self) -> Answer:
        self._last = answer = Answer(self.name, self._reason())
        self._ended = time.monotonic()
        return answer

    def _reason(self) -> str:
        try:
            self._run()
        except Unhealthy as problem:
            return str(problem)
        except Exception as problem:  # whatever it is: the log says it, the answer does not
            log.warning("The check of %s failed: %s: %s", self.name, type(problem).__name__, problem)
            return "does not answer"
        finally:
            connections.close_all()  # this thread's own
        return ""


_checks: dict[str, HealthCheck] = {}
_pool_lock = threading.Lock()
_pools: list[ThreadPoolExecutor] = []


def register_check(name: str, run: Callable[[], None]) -> None:
    """Ask `run` too, under this name. It raises Unhealthy when something is wrong; Django's connections are
    closed after it."""
    _checks[name] = HealthCheck(name, run)


def check_health() -> list[Answer]:
    """Return every check's answer, in the order they were registered; at most LIMIT seconds later."""
    pool, begun = _pool(), time.monotonic()
    started = [(check, check.start(pool), check.limit) for check in _checks.values()]
    for _, run, limit in started:
        wait([run], timeout=max(begun + limit - time.monotonic(), 0.0))
    return [check.answer(run) for check, run, _ in started]


def forget_answers() -> None:
    """Ask anew the next time, whatever is kept."""
    for check in _checks.values():
        check.forget()


def _pool() -> ThreadPoolExecutor:
    """Made at the first question, so after the web server has forked. A thread a check: one that hangs holds
    up no other."""
    with _pool_lock:
        if not _pools:
            _pools.append(ThreadPoolExecutor(max_workers=max(len(_checks), 1), thread_name_prefix="health"))
        return _pools[0]
