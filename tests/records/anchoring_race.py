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

from chain.keys import portal_keys
from chain.models import Act, ActState
from chain.node.deployment import Deployment, write_deployment
from chain.status import lag
from records.chain_words import word
from records.crypto.merkle import Frontier
from records.models import AnchoredLog, ViewLog
from records.services import anchoring
from tests.faults.databases import Database, drop_databases, make_databases
from tests.faults.processes import Child, ask

ROUNDS, WORKERS = 12, 4
PLACE = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def main(folder: Path, template: Path) -> None:
    """Some workers, who begin each round together. A line of JSON says what they left.

    `template`: a migrated SQLite file, made if it is missing.
    """
    databases = make_databases(folder, template=template)
    portal_keys.make_key("anchor")
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
    """In each round one worker settles what waited, then all look and anchor at once."""
    database.use()
    lag.knows_chain = lambda: True
    for _ in range(ROUNDS):
        if first:
            Act.objects.waiting().update(state=ActState.CONFIRMED)
        together.wait(60)
        look(3)
        anchoring.anchor_views()
        together.wait(60)


def look(count: int) -> None:
    """Some looks, an hour and more ago."""
    at = timezone.now() - timedelta(minutes=61)
    ViewLog.objects.bulk_create(
        ViewLog(patient=PLACE, viewer=PLACE, what="list", at=at) for _ in range(count)
    )


def judge(database: Database) -> dict[str, object]:
    """The sizes that were signed, the numbers that rows have, and whether each root is that of the rows."""
    database.use()
    signed = [act.fields for act in Act.objects.of_kind("AnchorLog").order_by("number")]
    rows = list(ViewLog.objects.exclude(position=None).order_by("position"))
    tree, roots = Frontier(), []
    for fields in signed:
        tree.extend(row.entry for row in rows[tree.size : fields["size"]])
        roots.append(word(tree.root))
    return {
        "sizes": [fields["size"] for fields in signed],
        "positions": [row.position for row in rows],
        "wrong": sum(root != fields["root"] for root, fields in zip(roots, signed, strict=True)),
        "logs": AnchoredLog.objects.count(),
    }
