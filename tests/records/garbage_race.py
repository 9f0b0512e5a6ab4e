"""Uploads against the collector, on real databases: `main` is run in a process that has set up Django.

Nothing of pytest's is shared with it: it forks what it needs.
"""

import hashlib
import json
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from random import Random

from django.conf import settings
from django.db import transaction

from chain.contract.slots import slot_record
from chain.models import Act
from chain.status import lag
from records.errors import Conflict
from records.holdings import hold, put_held
from records.models import Holding
from records.services import garbage
from records.storage import Cid, LocalStore
from records.storage.errors import ContentNotFound, StoreUnavailable
from tests.faults.databases import Database, drop_databases, make_databases
from tests.faults.processes import Child, ask

RECORDS = ["0x" + f"{number:064x}" for number in range(6)]  # few, so that all meet at the same contents
ROUNDS = 30


def main(folder: Path, template: Path) -> None:
    """Three uploaders and two collectors at once. A line of JSON says what is then named, and what is there.

    `template`: a migrated SQLite file, made if it is missing.
    """
    databases = make_databases(folder, template=template)
    try:
        collectors = [Child(collect, databases[0], folder) for _ in range(2)]
        uploaders = [Child(upload_and_drop, databases[0], folder, seed) for seed in range(3)]
        try:
            for uploader in uploaders:
                uploader.wait(120)
        finally:
            for child in [*uploaders, *collectors]:
                child.kill()
        named, found = ask(judge, databases[0], folder)
    finally:
        drop_databases(*databases)
    erased = (folder / "erased").stat().st_size
    sys.stdout.write(json.dumps({"named": sorted(named), "found": sorted(found), "erased": erased}) + "\n")


def begin(database: Database, folder: Path) -> LocalStore:
    """A process with this database and store, whose collector gives no grace."""
    database.use()
    settings.STORE_PATH = folder / "store"
    settings.STORE_GRACE_DAYS = 0
    garbage.UNDER_WAY = timedelta(0)
    lag.knows_chain = lambda: True
    return LocalStore(folder / "store")


def collect(database: Database, folder: Path) -> None:
    """The collector, as often as it can."""
    begin(database, folder)
    with (folder / "erased").open("ab", buffering=0) as count:
        while True:
            count.write(b"." * garbage.collect_garbage())


def upload_and_drop(database: Database, folder: Path, seed: int) -> None:
    """Put and name contents, as uploads do, or stop half-way. Drop what was named before, keep the last."""
    files, random = begin(database, folder), Random(seed)
    for number in range(ROUNDS):
        record = random.choice(RECORDS)
        for act in Act.objects.filter(slot=slot_record(record), state="waiting"):
            check(files, act)
            if random.random() < 0.7:
                Act.objects.filter(pk=act.pk).update(state="failed")
        upload(files, record, number * 10 + seed, is_named=random.random() < 0.7)
    while not upload(files, RECORDS[seed], ROUNDS * 10 + seed, is_named=True):
        pass


def upload(files: LocalStore, record: str, number: int, *, is_named: bool) -> bool:
    """Return whether it was accepted. A content that is being erased is not, and says so."""
    try:
        stored = put_held(files, [content_of(record)], record=record)
        hashlib.pbkdf2_hmac("sha256", b"sealing", b"takes a moment", 30_000)
        if is_named:
            name_content(record, stored.cid, number)
    except (StoreUnavailable, Conflict):
        return False
    return True


def check(files: LocalStore, act: Act) -> None:
    """Its content is there, unless another process has dropped it by now."""
    try:
        with files.open(Cid.from_digest(act.fields["content"])) as blob:
            b"".join(blob)
    except ContentNotFound:
        assert not Act.objects.filter(pk=act.pk, state="waiting").exists()


def name_content(record: str, cid: Cid, number: int) -> None:
    with transaction.atomic():
        hold(cid.hex)
        Act.objects.create(
            kind="NewRecord",
            slot=slot_record(record),
            number=number,
            digest="0x" + secrets.token_hex(32),
            fields={"content": cid.hex},
            signature=b"",
        )


def content_of(record: str) -> bytes:
    return b"encrypted " + record.encode()


def judge(database: Database, folder: Path) -> tuple[set[str], set[str]]:
    """Return the named contents, and those stored after a last round, which ends a killed round."""
    files = begin(database, folder)
    Holding.objects.update(claimed_at=None)
    garbage.collect_garbage()
    named = {act.fields["content"] for act in Act.objects.waiting()}
    return named, {cid.hex for cid in files.kept()}
