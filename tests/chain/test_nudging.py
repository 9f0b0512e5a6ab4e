"""However many ask, few nudges are sent; and none who asked is without one that comes later."""

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from kombu.connection import Connection

from chain.support import wakeup
from chain.support.breaker import PAUSE, Breaker
from chain.support.wakeup import APART, ENOUGH, Wakeup, count_messages

TASK = "chain.tasks.relay"
QUEUE = "celery"


class Clock:
    """A clock that a test turns, and what was sent by it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.arrivals: list[float] = []
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def turn(self, seconds: float) -> None:
        """Let time pass; what was put off until then is done at its moment."""
        until = self.now + seconds
        while due := [timer for timer in self._timers if timer[0] <= until]:
            timer = min(due)
            self._timers.remove(timer)
            self.now = timer[0]
            timer[1]()
        self.now = until

    def put_off(self, wait: float, work: Callable[[], None]) -> None:
        self._timers.append((self.now + wait, work))

    def send(self, task: str, *, producer: object, retry: bool) -> None:
        assert producer is not None
        assert (task, retry) == (TASK, False)
        self.arrivals.append(self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr("chain.support.wakeup.time.monotonic", lambda: turned.now)
    monkeypatch.setattr(Wakeup, "_send_later", lambda nudge, wait: turned.put_off(wait, nudge._send))
    monkeypatch.setattr("celery.current_app.send_task", turned.send)
    monkeypatch.setattr(wakeup, "count_messages", lambda *_: 0)
    monkeypatch.setattr(wakeup, "_broker", Breaker("the broker"))
    return turned


def test_each_who_asks_has_a_nudge_that_comes_later_and_soon(clock: Clock) -> None:
    nudge, asked = Wakeup(TASK), []
    for _ in range(1000):
        nudge.give()
        asked.append(clock.now)
        clock.turn(0.003)
    clock.turn(1)
    assert all(any(at <= came <= at + APART for came in clock.arrivals) for at in asked)
    gaps = [later - sooner for sooner, later in zip(clock.arrivals, clock.arrivals[1:], strict=False)]
    assert min(gaps) >= APART - 1e-9
    assert len(clock.arrivals) == 7  # of 1,000, in three seconds


def test_the_first_after_a_while_goes_at_once(clock: Clock) -> None:
    nudge = Wakeup(TASK)
    for seconds in (0, 7, 7):
        clock.turn(seconds)
        nudge.give()
        assert clock.arrivals[-1] == clock.now


def test_a_broker_that_is_down_is_said_and_asked_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(task: str, **options: object) -> None:
        raise ConnectionError(f"no broker for {task}: {options}")

    nudge = Wakeup(TASK)
    with monkeypatch.context() as down, caplog.at_level(logging.WARNING):
        down.setattr("celery.current_app.send_task", broken)
        nudge.give()
    assert "no broker" in caplog.text
    clock.turn(1)
    nudge.give()
    assert clock.arrivals == [], "a broker that hangs costs one of them its deadline"
    clock.turn(PAUSE)
    nudge.give()
    assert clock.arrivals == [clock.now]


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The broker that a portal without one uses, and no worker."""
    names = ("data_folder_in", "data_folder_out", "control_folder")
    with Connection("filesystem://", transport_options=dict.fromkeys(names, tmp_path)) as connection:
        producer = current_app.amqp.Producer(connection)
        monkeypatch.setattr("celery.current_app.producer_or_acquire", lambda *_: nullcontext(producer))
        yield connection


def test_messages_do_not_pile_up_and_name_no_time(broker: Connection) -> None:
    assert count_messages(broker, QUEUE) == 0
    for _ in range(3 * ENOUGH):
        Wakeup(TASK)._send()
    assert count_messages(broker, QUEUE) == ENOUGH
    message: Any = broker.default_channel.basic_get("celery", no_ack=True)
    assert message.headers["task"] == TASK
    assert (message.headers["expires"], message.headers["eta"]) == (None, None)
