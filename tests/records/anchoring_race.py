"""Sweeps that anchor at once, on a real database: `main` is run in a process that has set up Django.

Nothing of pytest's is shared with it: it forks what it needs.
"""

import json
import sys
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from django.utils import timezone

from chain import keys, lag
from chain.deployment import Deployment, write_deployment
from chain.models import Act, ActState
from records.models import AnchoredLog, ViewLog
from records.services import anchoring
from tests.faults.databases import Database, drop_databases, make_databases
from tests.faults.processes import Child, ask

ROUNDS, WORKERS = 12, 4
PLACE = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def main(folder: Path, template: Path) -> None:
    """Some workers, who begin each round together; a line of JSON says what they left.

    `template`: a migrated SQLite file, made if it is missing.
    """
    databases = make_databases(folder, template=template)
    keys.make_key("anchor")
    write_deployment(Deployment(33_117, PLACE, 33_117, PLACE))
    together = get_context("fork").Barrier(WORKERS)
    try:
        workers = [Child(work, databases[0], together, number == 0) for number in range(WORKERS)]
        try:
            for worker in workers:
                worker.wait(120)
        finally:
            for worker in workers:
                worker.kill()
        left = ask(judge, databases[0])
    finally:
        drop_databases(*databases)
    sys.stdout.write(json.dumps(left) + "\n")


def work(database: Database, together: Barrier, first: bool) -> None:
    """In each round one worker settles what waited and lets people look, then all anchor."""
    database.use()
    lag.knows_chain = lambda: True
    for number in range(ROUNDS):
        if first:
            Act.objects.waiting().update(state=ActState.CONFIRMED)
            look(number + 1)
        together.wait(60)
        anchoring.anchor_views()
        together.wait(60)


def look(count: int) -> None:
    """Some looks, an hour and more ago."""
    at = timezone.now() - timedelta(minutes=61)
    ViewLog.objects.bulk_create(
        ViewLog(patient=PLACE, viewer=PLACE, what="list", at=at) for _ in range(count)
    )


def judge(database: Database) -> dict[str, object]:
    """The sizes that were signed, the numbers that rows have, and how many logs there are."""
    database.use()
    return {
        "sizes": sorted(Act.objects.of_kind("AnchorLog").values_list("number", flat=True)),
        "positions": list(ViewLog.objects.order_by("position").values_list("position", flat=True)),
        "logs": AnchoredLog.objects.count(),
    }
