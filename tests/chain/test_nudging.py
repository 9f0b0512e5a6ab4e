"""However many ask, few nudges are sent; and none who asked is without one that comes later."""

import logging

import pytest

from chain.nudging import APART, Nudge

TASK = "chain.tasks.relay"


class Clock:
    """A clock that a test turns, and what was sent by it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.arrivals: list[float] = []

    def send(self, task: str, *, countdown: float | None, expires: int, retry: bool) -> None:
        assert (task, expires, retry) == (TASK, 5, False)
        self.arrivals.append(self.now + (countdown or 0))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr("chain.nudging.time.monotonic", lambda: turned.now)
    monkeypatch.setattr("celery.current_app.send_task", turned.send)
    return turned


def test_each_who_asks_has_a_nudge_that_comes_later_and_soon(clock: Clock) -> None:
    nudge, asked = Nudge(TASK, expires=5), []
    for _ in range(1000):
        nudge.give()
        asked.append(clock.now)
        clock.now += 0.003
    assert all(any(at <= came <= at + APART for came in clock.arrivals) for at in asked)
    gaps = [later - sooner for sooner, later in zip(clock.arrivals, clock.arrivals[1:], strict=False)]
    assert min(gaps) >= APART - 1e-9
    assert len(clock.arrivals) == 7  # of 1,000, in three seconds


def test_the_first_after_a_while_goes_at_once(clock: Clock) -> None:
    nudge = Nudge(TASK, expires=5)
    for seconds in (0, 7, 7):
        clock.now += seconds
        nudge.give()
        assert clock.arrivals[-1] == clock.now


def test_a_broker_that_is_down_is_said_and_asked_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(task: str, **options: object) -> None:
        raise ConnectionError(f"no broker for {task}: {options}")

    nudge = Nudge(TASK, expires=5)
    with monkeypatch.context() as down, caplog.at_level(logging.WARNING):
        down.setattr("celery.current_app.send_task", broken)
        nudge.give()
    assert "no broker" in caplog.text
    clock.now += 1
    nudge.give()
    assert clock.arrivals == [101.0]
