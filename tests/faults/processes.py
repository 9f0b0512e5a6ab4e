"""Processes of a scenario: forked from it, so that they start in no time; killed for good."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from chain.localchain.tether import end_with_parent

_FORK = multiprocessing.get_context("fork")
_ANSWER_SECONDS = 120.0


class NotReached(AssertionError):
    """A process that was to die at a point did not come there."""


class Child:
    """A process that runs one function.

    The scenario itself opens no database and asks no node through the portal: nothing is shared.
    """

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._process: BaseProcess = _FORK.Process(target=_run, args=(function, *args))
        self._process.start()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.join()

    def wait_killed(self, seconds: float, where: str) -> None:
        """Until it has died by SIGKILL. NotReached when it has not, or ended otherwise."""
        self._process.join(seconds)
        code = self._process.exitcode
        if code != -signal.SIGKILL:
            self.kill()
            raise NotReached(f"no process came to {where} (exit code {code})")

    def wait(self, seconds: float) -> None:
        """Until it has ended by itself. AssertionError when it has not, or with a failure."""
        self._process.join(seconds)
        code = self._process.exitcode
        if code != 0:
            self.kill()
            raise AssertionError(
                f"a process ended with exit code {code}, not by itself within {seconds:.0f} s"
            )

    def wait_any(self, seconds: float) -> None:
        """Until it has ended, killed or by itself. AssertionError when it has not, or with a failure."""
        self._process.join(seconds)
        if self._process.exitcode != -signal.SIGKILL:
            self.wait(0)

    @property
    def is_running(self) -> bool:
        """Return whether it still runs."""
        return self._process.is_alive()


def ask(function: Callable[..., Any], *args: Any) -> Any:
    """Return a function's result, from a process of its own."""
    mine, theirs = _FORK.Pipe(duplex=False)
    child = Child(_answer, theirs, function, *args)
    theirs.close()
    deadline = time.monotonic() + _ANSWER_SECONDS
    while not mine.poll(0.1):
        if not child.is_running and not mine.poll():
            raise AssertionError(f"{function.__name__} gave no answer; its traceback is above")
        if time.monotonic() > deadline:
            child.kill()
            raise AssertionError(f"{function.__name__} gave no answer in {_ANSWER_SECONDS:.0f} s")
    try:
        answer = mine.recv()
    except EOFError:
        raise AssertionError(f"{function.__name__} failed; its traceback is above") from None
    child.wait(10)
    return answer


def _run(function: Callable[..., Any], *args: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(signal.SIGKILL)
    function(*args)


def _answer(to: Connection, function: Callable[..., Any], *args: Any) -> None:
    to.send(function(*args))
    to.close()
