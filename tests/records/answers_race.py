"""Processes that answer the same requests at once, on a real database: see `run_race`."""

import json
import sys
from collections import Counter
from pathlib import Path

from django.db import transaction

from records.errors import Conflict
from records.services.answers import claim_answer
from tests.faults.databases import Database, drop_databases, make_databases
from tests.faults.processes import Child

REQUESTS, CHILDREN = 40, 4


def main(folder: Path, template: Path) -> None:
    """Each child answers every request once as the first and once as the second answer; who won, as JSON."""
    databases = make_databases(folder, template=template)
    said = []
    try:
        for seen in (0, 1):
            children = [Child(answer_all, databases[0], folder, child, seen) for child in range(CHILDREN)]
            for child in children:
                child.wait(120)
            for number in range(CHILDREN):
                said += json.loads((folder / f"answers-{number}-{seen}").read_text())
    finally:
        drop_databases(*databases)
    won = Counter(f"{request} after {seen}" for request, seen, done in said if done)
    lost = sum(not done for _, _, done in said)
    sys.stdout.write(json.dumps({"won": won, "lost": lost, "asked": 2 * REQUESTS}) + "\n")


def answer_all(database: Database, folder: Path, child: int, seen: int) -> None:
    """Claim every answer, and write down which were this process's."""
    database.use()
    said = []
    for request in range(REQUESTS):
        try:
            with transaction.atomic():
                claim_answer(f"0x{request:064x}", seen=seen)
            said.append((request, seen, True))
        except Conflict:
            said.append((request, seen, False))
    (folder / f"answers-{child}-{seen}").write_text(json.dumps(said))
