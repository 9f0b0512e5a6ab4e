"""People's acts in the scenario of restores: records, an upload in parts, a grant and its end."""

import hashlib
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist

from accounts.actor import Actor
from accounts.models import Errand, User
from accounts.services import errands, signup
from chain.contract.slots import record_id
from chain.errors import ChainNotRead
from chain.models import Act, LostAct
from chain.relayer import sender
from chain.restore import incarnation
from chain.tasks import sync
from records.content import settle_blobs
from records.crypto.mdr1 import CHUNK_BYTES
from records.crypto.parts import NO_DIGEST, digest_with
from records.errors import AccessRefused, NotFound, RecordsError, StartOver
from records.models import FolderState
from records.services import reading, revocations, upload_parts, uploads
from records.services.after_restore import AFTER_RESTORE, settle_restore
from tests.people import PASSWORD, make_patient
from tests.records.conftest import grant, upload

SCOPE = f"0x{1:064x}"
SIZE = 3 * CHUNK_BYTES + 100
People = dict[str, str]  # the patient's and the friend's e-mail addresses
_TRIED_FOR = 60.0  # seconds
_PAUSE = 0.05


def meet() -> People:
    """A patient and a friend, whose keys are on their way to the chain."""
    return {
        who: make_patient(name).user.email for who, name in (("patient", "Ada Moss"), ("friend", "Ben Cole"))
    }


def before_backup(people: People, accepted: Path, number: int) -> dict[str, Any]:
    """A record, a grant of its folder, and the first part of an upload."""
    patient, friend = _actor(people, "patient"), _actor(people, "friend")
    content = _content(number, "before")
    record = upload(patient, title="Before", data=content).record
    grant(patient, friend.address, "")
    described = _describe(patient, number)
    _send(patient, described, 0, _content(number, "x", SIZE))
    _note(accepted)
    return {"records": {record: _sha(content)}, "upload": described, "number": number}


def after_backup(people: People, accepted: Path, state: dict[str, Any]) -> dict[str, str]:
    """The upload is finished, another record is saved. Both may reach the chain before the restore."""
    patient, data = _actor(people, "patient"), _content(state["number"], "x", SIZE)
    for part in range(1, -(-SIZE // CHUNK_BYTES)):
        _send(patient, state["upload"], part, data)
    whole = upload_parts.finish_upload(actor=patient, upload_id=state["upload"], digest=_digest(data)).record
    content = _content(state["number"], "after")
    record = upload(patient, title="After", data=content).record
    settle_blobs()
    _note(accepted)
    return {whole: _sha(data), record: _sha(content)}


def at_the_last_moment(people: People, accepted: Path, state: dict[str, Any]) -> dict[str, str]:
    """A record and the end of sharing, accepted while no worker runs."""
    patient, friend = _actor(people, "patient"), _actor(people, "friend")
    content = _content(state["number"], "last")
    record = upload(patient, title="Last", data=content).record
    settle_blobs()
    revocations.revoke_access(actor=patient, grantee=friend.address, via="", scope=SCOPE)
    _note(accepted)
    return {record: _sha(content)}


def send_other_parts(people: People, state: dict[str, Any]) -> bool:
    """Whoever goes on with the upload has another file. Whether it starts over, or is saved already."""
    patient, other = _actor(people, "patient"), _content(state["number"], "y", SIZE)
    over = False
    for part in range(1, -(-SIZE // CHUNK_BYTES)):
        try:
            _send(patient, state["upload"], part, other)
        except StartOver:
            over = True
        except RecordsError:
            continue
    with suppress(RecordsError):
        upload_parts.finish_upload(actor=patient, upload_id=state["upload"], digest=_digest(other))
    return over


def work_after_restores(raised: Path) -> None:
    """Send and read until killed, and do what a restore asks for, as worker and beat do."""
    del raised
    while True:
        sync()
        sender.run_relayer()
        settle_blobs()
        settle_restore(say=lambda _: None)
        time.sleep(_PAUSE)


def is_settled() -> bool:
    """Return whether the restore was noticed, and everything that it asks for is done."""
    return incarnation.unsettled_restore() is None and not LostAct.objects.filter(outcome="open").exists()


def judge_people(people: People, known: dict[str, str], handed: int) -> list[str]:
    """Return the faults for the patient and the friend, in words. The patient's key tasks run first."""
    patient, friend = _actor(people, "patient"), _actor(people, "friend")
    told = LostAct.objects.filter(kind="NewRecord", outcome="lost", author=patient.address)
    lost = {record_id(act.author, act.fields["nonce"]) for act in told}
    found = []
    for record, sha in known.items():
        if record in lost:
            continue
        if _read(patient, record) != sha:
            found.append(f"a record is gone, or opens to something else, and nobody was told: {record}")
        if _read(friend, record) is not None:
            found.append(f"who has no access any more reads {record}")
    if not Errand.objects.filter(account=patient.address, kind=AFTER_RESTORE).exists():
        found.append("the patient was not told of the restore")
    epoch = FolderState.objects.get(patient=patient.address, folder=1).epoch
    if epoch <= handed:
        found.append(f"the folder is at epoch {epoch}; {handed} was handed out before")
    return found


def run_key_tasks(people: People, accepted: Path) -> None:
    """The patient's next visit."""
    Errand.objects.update(tried_at=None)
    errands.run_errands(_actor(people, "patient"))
    _note(accepted)


def newest_handed() -> int:
    """The highest epoch that any act hands out, on the chain or not."""
    moves = Act.objects.of_kind("RekeyFolder").values_list("number", flat=True)
    return max(moves, default=0)


def _actor(people: People, who: str) -> Actor:
    settings.UPLOAD_PART_BYTES = CHUNK_BYTES
    return signup.open_actor(User.objects.get(email=people[who]), PASSWORD)


def _describe(patient: Actor, number: int) -> str:
    return uploads.describe_upload(
        actor=patient,
        patient=None,
        title=f"In parts {number}",
        kind="11502-2",
        service_date=None,
        file_name="scan.pdf",
        size=SIZE,
    ).id


def _send(patient: Actor, described: str, part: int, data: bytes) -> None:
    body = [data[part * CHUNK_BYTES :][:CHUNK_BYTES]]
    upload_parts.receive_part(actor=patient, upload_id=described, part=part, stream=body)


def _content(number: int, what: str, size: int = 2_000) -> bytes:
    mark = f"%PDF-1.7 {what} {number}\n".encode()
    return (mark * (size // len(mark) + 1))[:size]


def _digest(data: bytes) -> str:
    digest = NO_DIGEST
    for at in range(0, len(data), CHUNK_BYTES):
        digest = digest_with(digest, data[at : at + CHUNK_BYTES])
    return digest.hex()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(actor: Actor, record: str) -> str | None:
    """The content's digest. None where it may not be read."""
    deadline = time.monotonic() + _TRIED_FOR
    while True:
        try:
            opened = reading.open_content(actor=actor, record=record)
            return _sha(b"".join(opened.iterate(0, opened.size)))
        except (AccessRefused, NotFound, ObjectDoesNotExist):
            return None
        except ChainNotRead:  # the worker is slow: a person tries again in a moment
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _note(accepted: Path) -> None:
    """Every act of the outbox was told to somebody."""
    known = set(accepted.read_text().split())
    fresh = [digest for digest in Act.objects.values_list("digest", flat=True) if digest not in known]
    with accepted.open("a") as notes:
        notes.write("".join(digest + "\n" for digest in fresh))
