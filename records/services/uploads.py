"""Uploads: described first, then the bytes, encrypted as they arrive.

The description waits sealed under the author's own key. No transaction spans the stream; at its end one
transaction keeps the description, signs and queues the act, and closes the upload.
"""

import secrets
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.actor import Actor
from accounts.services.directory import person_of
from records import access
from records.chain_words import raw, word
from records.content import storing
from records.crypto.description import Description
from records.crypto.ids import record_id
from records.crypto.mdr1 import Encryptor, Role, new_salt
from records.errors import AccessRefused, Conflict, InvalidInput, NotFound, TooLarge
from records.holdings import put_held
from records.models import Upload
from records.services import documents, writing
from records.services.describing import check_description, check_file
from records.services.drafts import open_draft, seal_draft
from records.services.folders import GENERAL, INBOX, require_folder
from records.services.garbage import discard_content
from records.services.keyring import Keyring
from records.shapes import RecordView, UploadView
from records.storage import Stored

STALE_AFTER = timedelta(seconds=60)
BEAT = timedelta(seconds=10)


@dataclass(frozen=True)
class _Received:
    """Bytes that are in the store, encrypted."""

    stored: Stored
    size: int
    sha256: bytes
    key: bytes
    salt: bytes


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
    """Say what will be sent; its bytes follow with `receive_upload`. The same `once` again: the same upload.

    Without `patient` it is for the actor, or for the replaced record's patient. A doctor without write
    permission names no folder: the inbox.
    Raises InvalidInput, NotFound, AccessRefused, Conflict, TooLarge, VaultClosed.
    """
    writing.require_keys(actor)
    known = Upload.objects.filter(pk=once, author=actor.address).first() if once else None
    if known is not None:
        return _view(known, file_name)
    if replaces and not patient:
        patient = documents.visible_state(actor, replaces).patient
    patient = patient or actor.address
    draft = {
        "title": check_description(title=title, kind=kind, service_date=service_date),
        "kind": kind,
        "service_date": service_date.isoformat() if service_date else None,
        "nonce": _checked_nonce(nonce),
    }
    draft["file_name"], draft["media_type"] = check_file(file_name=file_name, media_type=media_type)
    _check_size(size)
    row = Upload(id=once or uuid.uuid4(), author=actor.address, patient=patient, via=via, size=size)
    if replaces:
        _replace(actor, row, replaces)
    else:
        row.folder = _choose_folder(actor, patient, folder, via)
        row.nonce = word(secrets.token_bytes(32))
        row.record = word(record_id(actor.address, raw(row.nonce)))
    row.sealed = seal_draft(actor, _about(row), draft)
    try:
        row.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("This is being saved already.") from error
    return _view(row, str(draft["file_name"]))


def receive_upload(
    *, actor: Actor, upload_id: str | uuid.UUID, stream: Iterable[bytes], length: int | None
) -> RecordView:
    """Take an upload's bytes: encrypt, store, sign, queue. Sent again after it is done, the same answer.

    `length` is what the client announced. Raises NotFound, InvalidInput, TooLarge, Conflict (its bytes are
    arriving through another request), AccessRefused, StoreDown, VaultClosed.
    """
    writing.require_keys(actor)
    row = _find(actor, upload_id)
    if row.state != Upload.State.DONE:
        _check_size(length)
        draft = open_draft(actor, _about(row), bytes(row.sealed))
        claim = _claim(row)
        try:
            received = _encrypt(row, draft, claim, stream, length)
            try:
                _register(actor, row, claim, _describe(draft, received), received)
            except Exception:
                _discard(row, received)
                raise
        finally:
            Upload.objects.filter(pk=row.pk, claim=claim, state=Upload.State.RECEIVING).update(
                state=Upload.State.DESCRIBED, claim=None, claimed_at=None
            )
    return documents.get_record(actor=actor, record=row.record)


def get_upload(*, actor: Actor, upload_id: str | uuid.UUID) -> UploadView:
    """A described upload of this actor. Raises NotFound, VaultClosed."""
    row = _find(actor, upload_id)
    draft = open_draft(actor, _about(row), bytes(row.sealed)) if row.sealed else {}
    return _view(row, str(draft.get("file_name", "")))


def _find(actor: Actor, upload_id: str | uuid.UUID) -> Upload:
    try:
        key = upload_id if isinstance(upload_id, uuid.UUID) else uuid.UUID(str(upload_id))
    except ValueError as error:
        raise NotFound("There is no such upload.") from error
    row = Upload.objects.filter(pk=key, author=actor.address).first()
    if row is None:
        raise NotFound("There is no such upload.")
    return row


def _about(row: Upload) -> bytes:
    return b"upload" + row.pk.bytes


def _view(row: Upload, file_name: str) -> UploadView:
    return UploadView(
        id=str(row.pk),
        record=row.record,
        state=row.state,
        file_name=file_name,
        size=row.size,
        max_bytes=settings.UPLOAD_MAX_BYTES,
    )


def _checked_nonce(nonce: str) -> str:
    if len(nonce.encode(errors="replace")) > settings.NONCE_MAX_BYTES:
        raise InvalidInput("nonce", f"A nonce of your own has at most {settings.NONCE_MAX_BYTES} bytes.")
    return nonce


def _check_size(size: int | None) -> None:
    if size == 0:
        raise InvalidInput("size", "The file is empty.")
    if size is not None and size > settings.UPLOAD_MAX_BYTES:
        raise TooLarge(f"A file has at most {settings.UPLOAD_MAX_BYTES // 1024**2:,} MiB.")


def _choose_folder(actor: Actor, patient: str, folder: int | None, via: str) -> int:
    if patient == actor.address:
        if via:
            raise InvalidInput("via", "Your own records go through no institution.")
        chosen = GENERAL if folder is None else folder
        if chosen == INBOX:
            raise InvalidInput("folder", "Choose one of your folders.")
        require_folder(actor, chosen)
        return chosen
    if not folder:
        if not person_of(patient).known:
            raise NotFound("Nobody here has this address.")
        writing.require_patient(patient)
        writing.require_sender(actor, patient, via)
        return INBOX
    if not access.can_write_folder(actor, patient=patient, folder=folder, via=via):
        raise AccessRefused(
            "You may not add records to this folder. You can leave one in the patient's inbox.",
            patient=patient,
            via=via,
        )
    return folder


def _replace(actor: Actor, row: Upload, replaces: str) -> None:
    state = documents.visible_state(actor, replaces)
    if state.patient != row.patient:
        raise NotFound("There is no such record.")
    writing.require_writer(actor, state, row.via)
    standing = state.standing() or state
    if standing.latest.folder == INBOX:
        raise Conflict("File this record into a folder first.")
    row.record, row.folder, row.version = replaces, standing.latest.folder, standing.latest.version + 1


def _claim(row: Upload) -> uuid.UUID:
    """Take the upload for this request; a claim that has stopped beating was a process that died."""
    claim, now = uuid.uuid4(), timezone.now()
    free = Q(state=Upload.State.DESCRIBED) | Q(state=Upload.State.RECEIVING, claimed_at__lt=now - STALE_AFTER)
    taken = Upload.objects.filter(free, pk=row.pk).update(
        state=Upload.State.RECEIVING, claim=claim, claimed_at=now
    )
    if not taken:
        raise Conflict("The bytes of this upload are arriving already.")
    return claim


def _encrypt(
    row: Upload, draft: dict[str, object], claim: uuid.UUID, stream: Iterable[bytes], length: int | None
) -> _Received:
    key = secrets.token_bytes(writing.KEY_BYTES)
    encryptor = Encryptor(key, Role.CONTENT, raw(row.record), new_salt(str(draft["nonce"]).encode()))
    with storing() as store:
        arriving = encryptor.encrypt(_counted(row, claim, stream, length))
        stored = put_held(store, arriving, record=row.record)
    return _Received(stored, encryptor.plaintext_size, encryptor.sha256, key, encryptor.salt)


def _counted(row: Upload, claim: uuid.UUID, stream: Iterable[bytes], length: int | None) -> Iterator[bytes]:
    """The stream, measured: what it raises goes through the store, which then keeps nothing."""
    size, beat = 0, timezone.now()
    for piece in stream:
        size += len(piece)
        if size > settings.UPLOAD_MAX_BYTES:
            _check_size(size)
        if timezone.now() - beat > BEAT:
            beat = timezone.now()
            if not Upload.objects.filter(pk=row.pk, claim=claim).update(claimed_at=beat):
                raise Conflict("Another request has taken over this upload.")
        yield piece
    if size == 0:
        raise InvalidInput("size", "No bytes came. Send the file as the body, with its Content-Length.")
    if any(expected is not None and size != expected for expected in (length, row.size)):
        raise InvalidInput("size", "The file was cut on its way, or is not the one described. Send it again.")


def _discard(row: Upload, received: _Received) -> None:
    """Erase bytes that came to nothing: nobody else can name them, their key was made for this attempt."""
    if Upload.objects.filter(pk=row.pk, state=Upload.State.DONE).exists():
        return
    discard_content(received.stored.cid.hex)


def _describe(draft: dict[str, object], received: _Received) -> Description:
    day = draft["service_date"]
    return Description(
        title=str(draft["title"]),
        kind=str(draft["kind"]),
        service_date=date.fromisoformat(str(day)) if day else None,
        file_name=str(draft["file_name"]),
        media_type=str(draft["media_type"]),
        size=received.size,
        sha256=received.sha256,
        content_key=received.key,
        content_salt=received.salt,
        content_length=received.stored.size,
    )


def _register(
    actor: Actor, row: Upload, claim: uuid.UUID, description: Description, received: _Received
) -> None:
    """Sign and queue the act, and close the upload: all or nothing, and only while holding the claim."""
    prepared = _prepare(actor, row, description, received)
    with transaction.atomic():
        mine = Upload.objects.filter(pk=row.pk, claim=claim, state=Upload.State.RECEIVING)
        if not mine.update(state=Upload.State.DONE):
            raise Conflict("Another request has taken over this upload.")
        act = writing.keep_version(actor, prepared)
        Upload.objects.filter(pk=row.pk).update(act=act.digest, sealed=b"")


def _prepare(actor: Actor, row: Upload, description: Description, received: _Received) -> writing.Prepared:
    """The act. What was allowed when the upload was described is asked again: it may have been revoked."""
    keyring = Keyring(actor, row.patient)
    cid = received.stored.cid
    if not row.nonce:
        state = documents.visible_state(actor, row.record)
        writing.require_writer(actor, state, row.via)
        return writing.prepare_version(
            keyring, state, description=description, content=cid.hex, flags=int(cid.dag_pb), via=row.via
        )
    _choose_folder(actor, row.patient, row.folder, row.via)
    return writing.prepare_record(
        keyring,
        nonce=row.nonce,
        record=row.record,
        folder=row.folder,
        description=description,
        content=cid.hex,
        flags=int(cid.dag_pb),
        via=row.via,
    )
