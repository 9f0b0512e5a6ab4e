"""Big files over bad lines: an upload in parts, gone on with after whatever happened.

A part is read whole (UPLOAD_PART_BYTES) before it is encrypted into staging, and is done once it is on disk.
Each attempt at a part has a salt of its own, and so has the file that the parts become at the end: no key and
counter encrypts twice, whatever was cut, sent again or restored from a backup.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from django.conf import settings
from django.db.models import Sum

from accounts.actor import Actor
from chain.restore.incarnation import advance
from records.chain_words import raw
from records.content import remove_staged, staging, staging_errors
from records.crypto.errors import FileRefused
from records.crypto.parts import NO_DIGEST, digest_after, digest_with, encrypt_part, open_part
from records.errors import Conflict, Infected, InvalidInput, StartOver, TooLarge, WrongType
from records.media_types import HEAD_BYTES
from records.models import Upload
from records.room import require_room
from records.services import documents, writing
from records.services.drafts import open_draft, seal_draft
from records.services.inspecting import check_type
from records.services.keyring import Keyring
from records.services.registering import Received, register_upload
from records.services.upload_bytes import encrypt_upload
from records.services.upload_rows import (
    about,
    about_parts,
    claimed,
    find_upload,
    parts_keys,
    plan_of,
    show_upload,
    update_claimed,
)
from records.shapes import RecordView, UploadView
from records.storage.errors import StagedMissing
from records.storage.staging import ReadAt

UNFINISHED_MAX = 20


def receive_part(
    *, actor: Actor, upload_id: str | uuid.UUID, part: int, stream: Iterable[bytes]
) -> UploadView:
    """Take one part (from 0), the one that comes next. One that is here already is left as it is.

    Raises NotFound, InvalidInput (no such part, another length), Conflict (another part comes next, or one is
    arriving), StartOver, StoreDown, VaultClosed.
    """
    writing.require_keys(actor)
    row = find_upload(actor, upload_id)
    plan = plan_of(row)
    if not 0 <= part < plan.count:
        raise InvalidInput("part", f"This upload has {plan.count} parts; the first is number 0.")
    plain = _read(stream, plan.length(part))
    if row.state == Upload.State.DONE:
        return show_upload(actor, row)
    with claimed(row) as claim:
        keys = _open_keys(actor, row, claim) if row.parts_begun else None
        if part > row.parts_done:
            raise Conflict(f"Part {row.parts_done} comes next.")
        if part == row.parts_done:
            _take_part(actor, row, claim, keys, plain)
    row.refresh_from_db()
    return show_upload(actor, row)


def finish_upload(*, actor: Actor, upload_id: str | uuid.UUID, digest: str) -> RecordView:
    """All parts are here: check them, store the file, sign, queue. Asked again, the same answer.

    `digest` (hex) is that of the sender's parts, see `records.crypto.parts.digest_with`: a file that changed
    between two sittings is noticed. Raises NotFound, Conflict, InvalidInput, StartOver, AccessRefused,
    StoreDown, ScannerDown, VaultClosed. Infected, WrongType and TooLarge, and the upload is forgotten.
    """
    writing.require_keys(actor)
    row = find_upload(actor, upload_id)
    if row.state == Upload.State.DONE:
        return documents.get_record(actor=actor, record=row.record)
    keyring = Keyring(actor, row.patient)
    with claimed(row) as claim:
        keys = _open_keys(actor, row, claim) if row.parts_begun else None
        if keys is None or row.parts_done < plan_of(row).count:
            raise Conflict(f"Part {row.parts_done} comes next.")
        if not hmac.compare_digest(digest.strip().lower().encode(), str(keys["digest"]).encode()):
            raise Conflict("The file has changed since the upload began. Discard the upload and start again.")
        draft = open_draft(actor, about(row), bytes(row.sealed))
        staged = row.staged
        try:
            received = _store_whole(row, claim, keys, draft)
        except (Infected, WrongType, TooLarge):  # refused for good: nothing of it is kept
            Upload.objects.filter(pk=row.pk, claim=claim).delete()
            remove_staged(staged)
            raise
        act = register_upload(keyring, row, claim, draft, received)
        remove_staged(staged)
    return documents.record_of(keyring, act)


def _read(stream: Iterable[bytes], length: int) -> bytearray:
    """The whole part. Raises InvalidInput when it has another length. No more than that is kept."""
    plain = bytearray()
    for piece in stream:
        plain += piece
        if len(plain) > length:
            break
    if len(plain) != length:
        raise InvalidInput("part", f"This part has {length:,} bytes; others came. Send it again.")
    return plain


def _take_part(
    actor: Actor, row: Upload, claim: uuid.UUID, keys: dict[str, str] | None, plain: bytearray
) -> None:
    """Encrypt the next part into staging. It is done when it is on disk."""
    if keys is None:
        keys = _new_keys(actor, row, bytes(plain[:HEAD_BYTES]))
        begin_parts(actor, row, claim, keys)
    write_part(row, claim, keys, plain)
    keys["digest"] = digest_with(bytes.fromhex(keys["digest"]), plain).hex()
    complete_part(actor, row, claim, keys)


def begin_parts(actor: Actor, row: Upload, claim: uuid.UUID, keys: dict[str, str]) -> None:
    """Commit the name in staging and the key, before the first part is there."""
    advance()
    sealed = seal_draft(actor, about_parts(row), keys)
    update_claimed(
        row, claim, parts_begun=1, staged=row.staged, part_bytes=row.part_bytes, sealed_parts=sealed
    )


def write_part(row: Upload, claim: uuid.UUID, keys: dict[str, str], plain: bytearray) -> None:
    """Encrypt the next part into staging, under a salt that no other attempt has."""
    part, plan, name = row.parts_done, plan_of(row), _staged(row)
    sealed = encrypt_part(bytes.fromhex(keys["key"]), raw(row.record), part, plain)
    require_room(len(plain))
    with staging_errors():
        try:
            staging().write(name, plan.offset(part), sealed)
        except StagedMissing:
            _start_over(row, claim)


def complete_part(actor: Actor, row: Upload, claim: uuid.UUID, keys: dict[str, str]) -> None:
    """Commit that the part is on disk."""
    advance()
    done = row.parts_done + 1
    sealed = seal_draft(actor, about_parts(row), keys)
    update_claimed(row, claim, parts_begun=done, parts_done=done, sealed_parts=sealed)


def _new_keys(actor: Actor, row: Upload, head: bytes) -> dict[str, str]:
    """The key under which the parts wait, made with the first part, which says what the file is.

    Raises WrongType, and Conflict where too much is unfinished.
    """
    others = Upload.objects.filter(author=actor.address, parts_begun__gt=0).exclude(pk=row.pk)
    others = others.exclude(state=Upload.State.DONE)
    total = others.aggregate(total=Sum("size"))["total"] or 0
    if others.count() >= UNFINISHED_MAX or total + (row.size or 0) > settings.UPLOAD_UNFINISHED_MAX_BYTES:
        raise Conflict("You have too many unfinished uploads. Finish or discard one first.")
    draft = open_draft(actor, about(row), bytes(row.sealed))
    check_type(head, file_name=str(draft["file_name"]), declared=str(draft["media_type"]))
    row.staged, row.part_bytes = uuid.uuid4(), settings.UPLOAD_PART_BYTES
    return {"key": secrets.token_bytes(writing.KEY_BYTES).hex(), "digest": NO_DIGEST.hex()}


def _open_keys(actor: Actor, row: Upload, claim: uuid.UUID) -> dict[str, str]:
    """The key of the parts, and their digest so far. Raises StartOver where nobody can go on with them."""
    keys = parts_keys(actor, row)
    if keys is None:
        _start_over(row, claim)
    return keys


def _staged(row: Upload) -> uuid.UUID:
    if row.staged is None:
        raise RuntimeError("an upload with parts has a name in staging")
    return row.staged


def _start_over(row: Upload, claim: uuid.UUID) -> NoReturn:
    """Let go of all parts: the next attempt has a key, a salt and a file of its own."""
    staged = row.staged
    update_claimed(
        row,
        claim,
        parts_begun=0,
        parts_done=0,
        part_bytes=0,
        part_mac=b"",
        sealed_parts=b"",
        staged=None,
    )
    remove_staged(staged)
    raise StartOver(
        "What was sent so far cannot be gone on with. The upload begins again with its first part."
    )


def _store_whole(row: Upload, claim: uuid.UUID, keys: dict[str, str], draft: dict[str, Any]) -> Received:
    """Read the parts once, each chunk verified, and encrypt them into the store as one file."""
    try:
        with staging().reading(_staged(row)) as (read_at, _):
            return encrypt_upload(row, claim, draft, _plain_parts(row, keys, read_at), row.size)
    except (StagedMissing, FileRefused):
        _start_over(row, claim)


def _plain_parts(row: Upload, keys: dict[str, str], read_at: ReadAt) -> Iterator[bytes]:
    """The plaintext of the parts. Raises FileRefused where they are not those of which the digest is kept."""
    key, plan, digest = bytes.fromhex(keys["key"]), plan_of(row), NO_DIGEST
    for index in range(plan.count):
        part_sha256 = hashlib.sha256()
        for plain in open_part(key, raw(row.record), plan, index, read_at).iterate():
            part_sha256.update(plain)
            yield plain
        digest = digest_after(digest, part_sha256.digest())
    if not hmac.compare_digest(digest.hex(), keys["digest"]):
        raise FileRefused("the parts in staging are not those that were sent last")
