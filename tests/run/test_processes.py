"""The process manager: what dies is started again, unless it keeps dying; what hangs is killed."""

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from medrec import processes as module
from medrec.processes import Processes, ProgramKeepsDying

SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);" + SLEEP
)


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def running() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.stop("one", "two")


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def test_output_carries_the_programs_name(running: Processes, capsys: pytest.CaptureFixture[str]) -> None:
    running.start("one", *python("print('hello'); " + SLEEP), environment={"PYTHONUNBUFFERED": "1"})
    wait_for(lambda: "one    | hello\n" in capsys.readouterr().out)


def test_a_program_that_dies_is_started_again(running: Processes, capsys: pytest.CaptureFixture[str]) -> None:
    running.start("one", *python("raise SystemExit(7)"))
    wait_for(lambda: not running.is_running("one"))
    running.tend()
    assert "one ended (exit code 7); starting it again" in capsys.readouterr().out


def test_one_that_keeps_dying_is_not_started_for_ever(running: Processes) -> None:
    running.start("one", *python("raise SystemExit(7)"))
    for _ in range(module.RESTARTS - 1):
        wait_for(lambda: not running.is_running("one"))
        running.tend()
    wait_for(lambda: not running.is_running("one"))
    with pytest.raises(ProgramKeepsDying, match=r"one ended \(exit code 7\) 3 times in a row"):
        running.tend()


def test_a_full_disk_keeps_the_others_running(running: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain cannot write its journal then, and reads need no chain."""
    running.start("two", *python(SLEEP))
    running.start("one", *python("raise SystemExit(1)"))
    for _ in range(module.RESTARTS + 2):
        wait_for(lambda: not running.is_running("one"))
        running.tend(patient=True)
    assert running.is_running("two")
    assert not running.is_running("one"), "it is left alone for a while"
    monkeypatch.setattr(module, "RESTART_WINDOW_SECONDS", 0.0)
    running._programs["one"]._command = list(python(SLEEP))
    running.tend(patient=True)
    assert running.is_running("one")


def test_one_that_does_not_listen_is_killed(
    running: Processes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
    running.start("one", *python(STUBBORN))
    wait_for(lambda: "deaf" in capsys.readouterr().out)
    running.start("two", *python(SLEEP))
    began = time.monotonic()
    running.stop("one", "two")
    assert time.monotonic() - began < module.STOP_SECONDS + 10
    running.tend()  # nothing is left to start again
