"""The processes of a scenario: they accept acts as a web process, or send and read as a worker."""

import os
import time
import traceback
from pathlib import Path
from random import Random

from django.db import transaction

from chain.indexer import run
from chain.outbox import submit
from chain.relayer import sender
from tests.faults.acts import Clinic, acts
from tests.faults.points import Point, kill_at

_PAUSE = 0.05  # seconds between two looks


def accept_acts(seed: int, clinic: int, count: int, accepted: Path, doom: tuple[Point, int] | None) -> None:
    """Accept this many acts of fresh patients, each in a transaction of its own.

    What was accepted is noted only after the commit, as a page that says "saved" comes after it.
    """
    if doom is not None:
        kill_at(*doom)
    stories = acts(Random(seed), Clinic.of_seed(clinic))
    with accepted.open("a") as notes:
        for _ in range(count):
            with transaction.atomic():
                row = submit.submit_act(next(stories))
            notes.write(row.digest + "\n")
            notes.flush()


def open_clinic(clinic: int, accepted: Path) -> None:
    """The clinic's own acts."""
    with transaction.atomic():
        rows = [submit.submit_act(act) for act in Clinic.of_seed(clinic).opening()]
    with accepted.open("a") as notes:
        notes.write("".join(row.digest + "\n" for row in rows))


def work(raised: Path, doom: tuple[Point, int] | None) -> None:
    """Send and read until killed, as the worker's tasks do every second, only faster."""
    if doom is not None:
        kill_at(*doom)
    while True:
        _try(sender.run_relayer, raised)
        _try(run.run_indexer, raised)
        time.sleep(_PAUSE)


def _try(task: object, raised: Path) -> None:
    """A task that raises is logged, and runs again a second later. The judge says how often it did."""
    assert callable(task)
    try:
        task()
    except Exception:
        with raised.open("a") as notes:
            notes.write(f"--- process {os.getpid()}\n{traceback.format_exc()}")
