"""Uploads: described first, then the bytes, encrypted as they arrive.

The description waits sealed under the author's own key. No transaction spans the stream. At its end one
transaction keeps the description, signs and queues the act, and closes the upload.
"""

import secrets
import uuid
from collections.abc import Iterable
from datetime import date

from django.conf import settings
from django.db import IntegrityError

from accounts.actor import Actor
from records.chain_words import raw, word
from records.content import remove_staged
from records.crypto.ids import record_id
from records.errors import Conflict, InvalidInput, NotFound
from records.models import Upload
from records.room import require_room
from records.services import documents, writing
from records.services.describing import check_description, check_file
from records.services.drafts import open_draft, seal_draft
from records.services.folders import INBOX
from records.services.keyring import Keyring
from records.services.limits import check_upload
from records.services.registering import choose_folder, register_upload
from records.services.upload_bytes import encrypt_upload
from records.services.upload_rows import about, check_size, claimed, find_upload, show_upload
from records.shapes import RecordView, UploadView


def describe_upload(
    *,
    actor: Actor,
    patient: str | None,
    title: str,
    kind: str,
    service_date: date | None,
    folder: int | None = None,
    via: str = "",
    nonce: str = "",
    file_name: str,
    media_type: str = "",
    size: int | None = None,
    replaces: str | None = None,
    once: uuid.UUID | None = None,
) -> UploadView:
    """Say what will be sent. Its bytes follow with `receive_upload`. The same `once` again: the same upload.

    Without `patient` it is for the actor, or for the replaced record's patient. A doctor without write
    permission names no folder: the inbox.
    Raises InvalidInput, NotFound, AccessRefused, Conflict, TooLarge, NoRoom, VaultClosed.
    """
    writing.require_keys(actor)
    known = Upload.objects.filter(pk=once, author=actor.address).first() if once else None
    if known is not None:
        return show_upload(actor, known)
    if replaces and not patient:
        patient = documents.visible_state(actor, replaces).patient
    patient = patient or actor.address
    writing.require_own(actor, patient)
    draft = {
        "title": check_description(title=title, kind=kind, service_date=service_date),
        "kind": kind,
        "service_date": service_date.isoformat() if service_date else None,
        "nonce": _checked_nonce(nonce),
    }
    draft["file_name"], draft["media_type"] = check_file(file_name=file_name, media_type=media_type)
    check_size(size)
    require_room(size or 0)
    row = Upload(id=once or uuid.uuid4(), author=actor.address, patient=patient, via=via, size=size)
    if replaces:
        _replace(actor, row, replaces)
    else:
        row.folder = choose_folder(actor, patient, folder, via)
        row.nonce = word(secrets.token_bytes(32))
        row.record = word(record_id(actor.address, raw(row.nonce)))
    check_upload(row, size or 0)
    row.sealed = seal_draft(actor, about(row), draft)
    try:
        row.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("This is being saved already.") from error
    return show_upload(actor, row)


def receive_upload(
    *, actor: Actor, upload_id: str | uuid.UUID, stream: Iterable[bytes], length: int | None
) -> RecordView:
    """Take an upload's bytes: encrypt, store, sign, queue. Sent again after it is done, the same answer.

    `length` is what the client announced. Raises NotFound, InvalidInput, TooLarge, Conflict (its bytes are
    arriving through another request), AccessRefused, WrongType, Infected, ScannerDown, StoreDown,
    VaultClosed.
    """
    writing.require_keys(actor)
    row = find_upload(actor, upload_id)
    if row.state == Upload.State.DONE:
        return documents.get_record(actor=actor, record=row.record)
    check_size(length)
    keyring = Keyring(actor, row.patient)
    with claimed(row) as claim:
        draft = open_draft(actor, about(row), bytes(row.sealed))
        received = encrypt_upload(row, claim, draft, stream, length)
        act = register_upload(keyring, row, claim, draft, received)
    return documents.record_of(keyring, act)


def get_upload(*, actor: Actor, upload_id: str | uuid.UUID) -> UploadView:
    """A described upload of this actor. Raises NotFound, VaultClosed."""
    return show_upload(actor, find_upload(actor, upload_id))


def list_unfinished(*, actor: Actor) -> list[UploadView]:
    """Uploads of this actor that were begun in parts and can be gone on with, newest first."""
    rows = Upload.objects.filter(author=actor.address, parts_begun__gt=0).exclude(state=Upload.State.DONE)
    return [show_upload(actor, row) for row in rows.order_by("-created_at")]


def count_unfinished(*, actor: Actor) -> int:
    """Return how many `list_unfinished` would list."""
    rows = Upload.objects.filter(author=actor.address, parts_begun__gt=0)
    return rows.exclude(state=Upload.State.DONE).count()


def discard_upload(*, actor: Actor, upload_id: str | uuid.UUID) -> None:
    """Forget an upload and its parts. Raises NotFound, Conflict (saved, or arriving now), VaultClosed."""
    writing.require_keys(actor)
    row = find_upload(actor, upload_id)
    if row.state == Upload.State.DONE:
        raise Conflict("This upload is saved already.")
    with claimed(row):
        Upload.objects.filter(pk=row.pk).delete()
    remove_staged(row.staged)


def _checked_nonce(nonce: str) -> str:
    if len(nonce.encode(errors="replace")) > settings.NONCE_MAX_BYTES:
        raise InvalidInput("nonce", f"A nonce of your own has at most {settings.NONCE_MAX_BYTES} bytes.")
    return nonce


def _replace(actor: Actor, row: Upload, replaces: str) -> None:
    state = documents.visible_state(actor, replaces)
    if state.patient != row.patient:
        raise NotFound("There is no such record.")
    writing.require_writer(actor, state, row.via)
    standing = state.standing() or state
    if standing.latest.folder == INBOX:
        raise Conflict("File this record into a folder first.")
    row.record, row.folder, row.version = replaces, standing.latest.folder, standing.latest.version + 1
