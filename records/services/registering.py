"""What an upload ends with, however its bytes came: the description, the act, and the row closed."""

import uuid
from dataclasses import dataclass
from datetime import date

from django.db import transaction

from accounts.actor import Actor
from accounts.directory import has_published_key
from accounts.services.limits import wait_in_line
from chain.models import Act
from records import access
from records.crypto.description import Description
from records.errors import AccessRefused, InvalidInput, NotFound
from records.models import Upload
from records.services import documents, writing
from records.services.acceptance import prepare_until_kept
from records.services.folders import GENERAL, INBOX, require_folder
from records.services.garbage import discard_content
from records.services.keyring import Keyring
from records.services.limits import check_upload
from records.services.upload_rows import update_claimed
from records.storage import Stored


@dataclass(frozen=True)
class Received:
    """Bytes that are in the store, encrypted; `media_type` is what they are."""

    stored: Stored
    size: int
    sha256: bytes
    key: bytes
    salt: bytes
    media_type: str


def register_upload(
    keyring: Keyring, row: Upload, claim: uuid.UUID, draft: dict[str, object], received: Received
) -> Act:
    """Sign and queue the act, and close the upload: all or nothing, and only while holding the claim.

    Where it fails, what is in the store is erased. Raises Conflict, AccessRefused, InvalidInput, NotFound,
    VaultClosed.
    """

    def register() -> Act:
        prepared = _prepare(keyring, row, _describe(draft, received), received)
        with transaction.atomic():
            wait_in_line([row.author, row.patient, row.via])
            check_upload(row, received.size)
            update_claimed(row, claim, state=Upload.State.DONE, size=received.size)
            act = writing.keep_version(keyring.actor, prepared)
            Upload.objects.filter(pk=row.pk).update(
                act=act.digest, sealed=b"", sealed_parts=b"", part_mac=b"", staged=None
            )
            return act

    try:
        return prepare_until_kept(register)
    except Exception:
        _discard(row, received)
        raise


def choose_folder(actor: Actor, patient: str, folder: int | None, via: str) -> int:
    """Where the actor may put a record of this patient: one of the patient's folders, or the inbox."""
    if patient == actor.address:
        if via:
            raise InvalidInput("via", "Your own records go through no institution.")
        chosen = GENERAL if folder is None else folder
        if chosen == INBOX:
            raise InvalidInput("folder", "Choose one of your folders.")
        require_folder(actor, chosen)
        return chosen
    if not folder:
        writing.require_patient(actor, patient)
        if not has_published_key(patient):
            raise NotFound("Nothing can be sent to this address yet. Ask the patient for the right one.")
        writing.require_sender(actor, patient, via)
        return INBOX
    if not access.can_write_folder(actor, patient=patient, folder=folder, via=via):
        raise AccessRefused(
            "You may not add records to this folder. You can leave one in the patient's inbox.",
            patient=patient,
            via=via,
        )
    return folder


def _discard(row: Upload, received: Received) -> None:
    """Erase bytes that came to nothing: nobody else can name them, their key was made for this attempt."""
    if Upload.objects.filter(pk=row.pk, state=Upload.State.DONE).exists():
        return
    discard_content(received.stored.cid.hex)


def _describe(draft: dict[str, object], received: Received) -> Description:
    day = draft["service_date"]
    return Description(
        title=str(draft["title"]),
        kind=str(draft["kind"]),
        service_date=date.fromisoformat(str(day)) if day else None,
        file_name=str(draft["file_name"]),
        media_type=received.media_type,
        size=received.size,
        sha256=received.sha256,
        content_key=received.key,
        content_salt=received.salt,
        content_length=received.stored.size,
    )


def _prepare(keyring: Keyring, row: Upload, description: Description, received: Received) -> writing.Prepared:
    """The act. What was allowed when the upload was described is asked again: it may have been revoked."""
    actor, cid = keyring.actor, received.stored.cid
    if not row.nonce:
        state = documents.visible_state(actor, row.record)
        writing.require_writer(actor, state, row.via)
        return writing.prepare_version(
            keyring, state, description=description, content=cid.hex, flags=int(cid.dag_pb), via=row.via
        )
    choose_folder(actor, row.patient, row.folder, row.via)
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
