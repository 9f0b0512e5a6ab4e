"""Threads that write into a folder while it is shared and taken back: see `run_race`.

One process as the web's is, with threads on a real database and a real chain.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event, Thread

from django.conf import settings
from django.db import close_old_connections, connections

from accounts.actor import Actor
from accounts.errors import AccountsError
from accounts.models import Errand
from chain.contract.slots import folder_scope
from chain.errors import ChainError
from chain.indexer.run import run_indexer
from chain.localchain import Anvil
from chain.models import Act
from chain.relayer.sender import run_relayer
from records.errors import AccessRefused, Conflict, RecordsError
from records.services import documents, revocations
from records.services.epochs import current_epoch
from records.services.holders import has_leaver, staying
from tests.chain_node import CHAIN_ID, ChainNode, _deploy_on
from tests.faults.databases import Database, drop_databases, make_databases
from tests.people import make_patient
from tests.records.conftest import LABORATORY, Clinic, grant, make_clinic, run_errands, upload

FOLDER = 1
UPLOADS, REVOKES, GRANTS, WRITES, LEAVERS, EDITS = 20, 12, 6, 6, 3, 3  # threads
THREADS = UPLOADS + REVOKES + GRANTS + WRITES + LEAVERS + EDITS


def main(folder: Path, template: Path) -> None:
    """Race, settle, and say what is left in a line of JSON."""
    home, databases = _here(), make_databases(folder, template=template)
    databases[0].use()
    settings.STORE_PATH, settings.CHAIN_BATCH_WAIT = folder / "store", 0.0
    settings.SECURE_SSL_REDIRECT = False
    try:
        with Anvil(chain_id=CHAIN_ID + 2) as anvil:
            left = race(_deploy_on(anvil))
    finally:
        connections.close_all()
        home.use()
        drop_databases(*databases)
    sys.stdout.write(json.dumps(left) + "\n")


def _here() -> Database:
    return Database(connections["default"].settings_dict["NAME"])


class Cast:
    """A patient whose folder many people have."""

    def __init__(self, chain: ChainNode) -> None:
        self.clinic, self.other = make_clinic(chain), make_clinic(chain, "Jade Practice", "Omar Finch")
        self.patient = make_patient()
        self.friends = [make_patient(f"Friend {number}") for number in range(REVOKES)]
        self.coming = [make_patient(f"Guest {number}") for number in range(GRANTS)]
        chain.settle()
        self.records = [upload(self.patient).record for _ in range(EDITS)]
        for place in (self.clinic, self.other):
            grant(self.patient, place.doctor.address, place.via, permissions="write")
        for friend in self.friends:
            grant(self.patient, friend.address, "")
        chain.settle()


def race(chain: ChainNode) -> dict[str, object]:
    """All at once, while a worker sends and reads; then in peace."""
    cast, over = Cast(chain), Event()
    worker = Thread(target=_work, args=(chain, over))
    worker.start()
    with ThreadPoolExecutor(THREADS) as pool:
        said = Counter(pool.map(_try, _deeds(cast)))
    over.set()
    worker.join(60)
    chain.settle()
    for _ in range(6):
        run_errands(cast.patient)
        chain.settle()
    return {
        "said": said,
        "acts": Counter(f"{act.kind} {act.state} {act.error_code}".strip() for act in Act.objects.all()),
        **_judge(cast),
    }


def _deeds(cast: Cast) -> list[Callable[[], object]]:
    deeds: list[Callable[[], object]] = []
    patient = cast.patient
    for number in range(max(UPLOADS, REVOKES)):  # mixed, so that they meet
        if number < UPLOADS:
            deeds.append(partial(_upload, patient))
        if number < REVOKES:
            deeds.append(partial(_revoke, patient, cast.friends[number].address, ""))
        if number < GRANTS:
            deeds.append(partial(_grant, patient, cast.coming[number].address))
        if number < WRITES:
            deeds.append(partial(_write, cast.clinic, patient))
        if number < LEAVERS - 1:
            deeds.append(partial(_write, cast.other, patient))
        if number == LEAVERS - 1:
            deeds.append(partial(_revoke, patient, cast.other.doctor.address, cast.other.via))
        if number < EDITS:
            deeds.append(partial(_edit, patient, cast.records[number]))
    assert len(deeds) == THREADS
    return deeds


def fresh(actor: Actor) -> Actor:
    """Return the same account, as another request has it."""
    return Actor(user=actor.user, account=actor.account, open_bundle=lambda: actor.bundle)


def _upload(patient: Actor) -> None:
    for _ in range(3):
        upload(fresh(patient))


def _grant(patient: Actor, grantee: str) -> None:
    grant(fresh(patient), grantee, "")


def _revoke(patient: Actor, grantee: str, via: str) -> None:
    revocations.revoke_access(actor=fresh(patient), grantee=grantee, via=via, scope=folder_scope(FOLDER))


def _write(place: Clinic, patient: Actor) -> None:
    upload(fresh(place.doctor), patient=patient.address, folder=FOLDER, via=place.via)


def _edit(patient: Actor, record: str) -> None:
    documents.modify_description(
        actor=fresh(patient), record=record, title="Mended", kind=LABORATORY, service_date=None
    )


def _try(deed: Callable[[], object]) -> str:
    """Do it. What a client is told."""
    try:
        deed()
    except (Conflict, AccessRefused) as refused:
        return type(refused).__name__
    except (RecordsError, ChainError, AccountsError) as wrong:
        return f"{type(wrong).__name__}: {wrong}"
    finally:
        connections.close_all()
    return "done"


def _work(chain: ChainNode, over: Event) -> None:
    while not over.is_set():
        close_old_connections()
        run_relayer()
        chain.mine(settings.CHAIN_CONFIRMATIONS)
        run_indexer()
    connections.close_all()


def _judge(cast: Cast) -> dict[str, object]:
    """Return whether each reader opens everything, and whether nobody else was left the folder's secret."""
    patient, here = cast.patient, staying(cast.patient.address, folder_scope(FOLDER))
    readers = [one for one in (*cast.coming, cast.clinic.doctor) if one.address in here]
    unread = 0
    for reader in (patient, *readers):
        views = documents.list_records(actor=fresh(reader), patient=patient.address)
        unread += sum(view.title not in ("Blood report", "Mended") for view in views)
    return {
        "epoch": current_epoch(patient.address, FOLDER),
        "readers": len(readers),
        "unread": unread,
        "leaver": has_leaver(patient.address, FOLDER),
        "revoked_stay": sum(one.address in here for one in cast.friends),
        "tasks": list(Errand.objects.filter(state="open").values_list("kind", flat=True)),
    }
