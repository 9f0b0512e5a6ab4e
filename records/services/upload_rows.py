"""The row of an upload: found, claimed by one request at a time, shown."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts.actor import Actor
from accounts.crypto.errors import CannotOpen
from chain.restore.incarnation import recent
from chain.support.moments import SKEW, is_past
from records.crypto.parts import NO_DIGEST, PartPlan
from records.errors import Conflict, InvalidInput, NotFound, TooLarge
from records.models import Upload
from records.services.drafts import open_draft
from records.shapes import UploadView

STALE_AFTER = timedelta(seconds=60)
BEAT = timedelta(seconds=10)
KEPT = timedelta(days=7)


def find_upload(actor: Actor, upload_id: str | uuid.UUID) -> Upload:
    """An upload of this actor. Raises NotFound."""
    try:
        key = upload_id if isinstance(upload_id, uuid.UUID) else uuid.UUID(str(upload_id))
    except ValueError as error:
        raise NotFound("There is no such upload.") from error
    row = Upload.objects.filter(pk=key, author=actor.address).first()
    if row is None:
        raise NotFound("There is no such upload.")
    return row


def about(row: Upload) -> bytes:
    """What the draft of an upload is bound to."""
    return b"upload" + row.pk.bytes


def about_parts(row: Upload) -> bytes:
    """What the keys of an upload's parts are bound to: this attempt, in this life of the database.

    Keys of earlier releases, which encrypted the parts otherwise, do not open in it.
    """
    staged = row.staged.bytes if row.staged else b""
    return b"upload parts 2" + row.pk.bytes + staged + recent().key.encode()


def parts_keys(actor: Actor, row: Upload) -> dict[str, str] | None:
    """The key under which an upload's parts wait, and their digest; None where they cannot be gone on with.

    Raises VaultClosed.
    """
    try:
        return open_draft(actor, about_parts(row), bytes(row.sealed_parts))
    except CannotOpen:
        return None


def plan_of(row: Upload) -> PartPlan:
    """How the upload is cut into parts. Raises InvalidInput where its size was not described."""
    if not row.size:
        raise InvalidInput("size", "Only an upload whose size was described can be sent in parts.")
    return PartPlan(row.size, row.part_bytes or settings.UPLOAD_PART_BYTES)


def check_size(size: int | None) -> None:
    """Raise InvalidInput for an empty file, TooLarge for one over the limit."""
    if size == 0:
        raise InvalidInput("size", "The file is empty.")
    if size is not None and size > settings.UPLOAD_MAX_BYTES:
        raise TooLarge(f"A file has at most {settings.UPLOAD_MAX_BYTES // 1024**2:,} MiB.")


def show_upload(actor: Actor, row: Upload) -> UploadView:
    """What its author sees of it. Raises VaultClosed."""
    draft = open_draft(actor, about(row), bytes(row.sealed)) if row.sealed else {}
    keys = parts_keys(actor, row) if row.sealed_parts else None
    return UploadView(
        id=str(row.pk),
        record=row.record,
        patient=row.patient,
        state=row.state,
        title=str(draft.get("title", "")),
        file_name=str(draft.get("file_name", "")),
        size=row.size,
        max_bytes=settings.UPLOAD_MAX_BYTES,
        part_bytes=row.part_bytes or settings.UPLOAD_PART_BYTES,
        parts=plan_of(row).count if row.size else 0,
        next_part=row.parts_done if keys else 0,
        digest=keys["digest"] if keys else NO_DIGEST.hex(),
        kept_until=row.created_at + KEPT,
    )


@contextmanager
def claimed(row: Upload) -> Iterator[uuid.UUID]:
    """The upload, for this request alone; a claim that has stopped beating was a process that died.

    The row is read anew. Raises Conflict.
    """
    claim, now = uuid.uuid4(), timezone.now()
    died = Q(state=Upload.State.RECEIVING) & is_past("claimed_at", STALE_AFTER + SKEW)
    free = Q(state=Upload.State.DESCRIBED) | died
    taken = Upload.objects.filter(free, pk=row.pk).update(
        state=Upload.State.RECEIVING, claim=claim, claimed_at=now
    )
    if not taken:
        raise Conflict("The bytes of this upload are arriving already.")
    done = False
    try:
        row.refresh_from_db()
        yield claim
        done = row.state == Upload.State.DONE
    finally:
        if not done:
            Upload.objects.filter(pk=row.pk, claim=claim, state=Upload.State.RECEIVING).update(
                state=Upload.State.DESCRIBED, claim=None, claimed_at=None
            )


def update_claimed(row: Upload, claim: uuid.UUID, **changes: object) -> None:
    """Change the row, only while holding the claim. Raises Conflict."""
    mine = Upload.objects.filter(pk=row.pk, claim=claim, state=Upload.State.RECEIVING)
    if not mine.update(**changes):
        raise Conflict("Another request has taken over this upload.")
    for name, value in changes.items():
        setattr(row, name, value)


class Heartbeat:
    """Keeps a claim alive while its request is at work."""

    def __init__(self, row: Upload, claim: uuid.UUID) -> None:
        self._row, self._claim = row, claim
        self._last = timezone.now()

    def renew(self) -> None:
        """Say now and then that the claim still stands. Raises Conflict when it does not."""
        now = timezone.now()
        if now - self._last > BEAT:
            self._last = now
            update_claimed(self._row, self._claim, claimed_at=now)
