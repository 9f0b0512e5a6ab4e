"""A store that hangs keeps one of the worker's threads, not all: the chain's tasks run in the others."""

from threading import Event, Thread

import pytest

from chain.support.single_flight import SingleFlight
from records import tasks


def test_who_asks_meanwhile_goes_on_and_it_is_done_once_more() -> None:
    told: list[int] = []

    def work() -> int:
        told.append(turns() if not told else -1)
        return 1

    turns = SingleFlight(work)
    assert (turns(), told) == (2, [0, -1])
    assert turns() == 1


def test_what_it_raises_leaves_it_free() -> None:
    outcomes = iter([1, 0])
    turns = SingleFlight(lambda: 1 // next(outcomes))
    assert turns() == 1
    with pytest.raises(ZeroDivisionError):
        turns()
    with pytest.raises(StopIteration):
        turns()


@pytest.mark.parametrize(("task", "turns"), [("store_blobs", "_settle"), ("collect", "_collect")])
def test_a_store_that_hangs_holds_one_thread(task: str, turns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, answers = Event(), Event()

    def hang() -> int:
        entered.set()
        assert answers.wait(30)
        return 1

    monkeypatch.setattr(getattr(tasks, turns), "_work", hang)
    first = Thread(target=getattr(tasks, task))
    first.start()
    assert entered.wait(30)
    assert getattr(tasks, task)() == 0
    answers.set()
    first.join(30)
    assert not first.is_alive()
