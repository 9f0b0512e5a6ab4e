"""Beat's schedule goes by the time that has passed: no step of the date, and no file, makes it sleep."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.connection import Connection

from chain.support.wakeup import ENOUGH, count_messages
from medrec.celery import app
from medrec.scheduler import SteadyScheduler

QUEUES = ("celery", "mail")


class Passing:
    """Monotonic seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 500.0


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Passing:
    clock = Passing()
    monkeypatch.setattr("medrec.scheduler.time.monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Connection]:
    names = ("data_folder_in", "data_folder_out", "control_folder")
    with Connection("filesystem://", transport_options=dict.fromkeys(names, tmp_path)) as connection:
        yield connection


@pytest.fixture
def scheduler(broker: Connection, passing: Passing) -> SteadyScheduler:
    del passing
    made = SteadyScheduler(app)
    made.__dict__["connection"], made.__dict__["producer"] = broker, app.amqp.Producer(broker)
    return made


def drain(broker: Connection) -> list[str]:
    """The names of the tasks that wait, and none names a time."""
    names = []
    for queue in QUEUES:
        while (message := broker.default_channel.basic_get(queue, no_ack=True)) is not None:
            assert (message.headers["expires"], message.headers["eta"]) == (None, None)
            names.append(message.headers["task"])
    return names


def test_each_task_is_asked_for_at_the_start_and_then_in_its_time(
    scheduler: SteadyScheduler, broker: Connection, passing: Passing
) -> None:
    assert 0 < scheduler.tick() <= 1
    every = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert set(drain(broker)) == every
    counted = dict.fromkeys(every, 0)
    for _ in range(120):
        passing.now += 1
        scheduler.tick()
        for name in drain(broker):
            counted[name] += 1
    assert counted["chain.tasks.relay"] == counted["chain.tasks.sync"] == 120
    assert counted["records.tasks.sweep"] == counted["accounts.tasks.sweep"] == 2


def test_nothing_piles_up_while_no_worker_runs_and_all_is_asked_for_afterwards(
    scheduler: SteadyScheduler, broker: Connection, passing: Passing
) -> None:
    for _ in range(600):
        passing.now += scheduler.tick()
    for queue in QUEUES:
        assert ENOUGH <= count_messages(broker, queue) < ENOUGH + len(app.conf.beat_schedule), queue
    drain(broker)
    passing.now += 1
    scheduler.tick()
    assert set(drain(broker)) == {entry["task"] for entry in app.conf.beat_schedule.values()}


def test_a_queue_that_nobody_reads_keeps_no_other_waiting(
    scheduler: SteadyScheduler, broker: Connection, passing: Passing
) -> None:
    for _ in range(40 * ENOUGH):
        passing.now += 1
        scheduler.tick()
        while broker.default_channel.basic_get("celery", no_ack=True) is not None:
            pass
    assert count_messages(broker, "mail") == ENOUGH
    passing.now += 1
    scheduler.tick()
    assert "chain.tasks.relay" in drain(broker)


def test_a_broker_that_is_away_is_asked_again(
    scheduler: SteadyScheduler, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as down:
        down.setattr("medrec.scheduler.count_messages", lambda *_: 1 / 0)
        assert scheduler.tick() == 1
    scheduler.__dict__["connection"], scheduler.__dict__["producer"] = broker, app.amqp.Producer(broker)
    scheduler.tick()
    assert drain(broker)


def test_beat_uses_it() -> None:
    assert app.conf.beat_scheduler == "medrec.scheduler:SteadyScheduler"
