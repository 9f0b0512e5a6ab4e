"""Big files over bad lines: an upload in parts of whole chunks, gone on with after whatever happened.

A part is read whole (UPLOAD_PART_BYTES) before anything is encrypted. Then one commit names it begun, with a
MAC of its plaintext; it is encrypted into staging, and done once it is on disk there. So a payload key and
counter encrypt one plaintext: a part that was begun and not done is taken again only with the same MAC.
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
from records.chain_words import raw
from records.content import remove_staged, staging, staging_errors, storing
from records.crypto.errors import FileRefused
from records.crypto.mdr1 import Decryptor, Role, new_salt
from records.crypto.parts import NO_DIGEST, PartEncryptor, digest_with
from records.errors import Conflict, Infected, InvalidInput, StartOver, TooLarge, WrongType
from records.holdings import put_held
from records.media_types import HEAD_BYTES
from records.models import Upload
from records.services import documents, writing
from records.services.drafts import open_draft, seal_draft
from records.services.inspecting import Inspection, check_type, inspecting_draft
from records.services.keyring import Keyring
from records.services.registering import Received, register_upload
from records.services.upload_rows import (
    Heart,
    about,
    about_parts,
    claimed,
    find_upload,
    plan_of,
    show_upload,
    update_claimed,
)
from records.shapes import RecordView, UploadView
from records.storage.errors import StagedMissing

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
        if part > row.parts_done:
            raise Conflict(f"Part {row.parts_done} comes next.")
        if part == row.parts_done:
            _take_part(actor, row, claim, plain)
    row.refresh_from_db()
    return show_upload(actor, row)


def finish_upload(*, actor: Actor, upload_id: str | uuid.UUID, digest: str) -> RecordView:
    """All parts are here: check them, store the file, sign, queue. Asked again, the same answer.

    `digest` (hex) is that of the sender's parts, see `records.crypto.parts.digest_with`: a file that changed
    between two sittings is noticed. Raises NotFound, Conflict, InvalidInput, StartOver, AccessRefused,
    StoreDown, ScannerDown, VaultClosed; Infected, WrongType and TooLarge, and the upload is forgotten.
    """
    writing.require_keys(actor)
    row = find_upload(actor, upload_id)
    if row.state == Upload.State.DONE:
        return documents.get_record(actor=actor, record=row.record)
    keyring = Keyring(actor, row.patient)
    with claimed(row) as claim:
        if row.parts_done < plan_of(row).count:
            raise Conflict(f"Part {row.parts_done} comes next.")
        keys = _open_keys(actor, row)
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
    """The whole part. Raises InvalidInput when it has another length; no more than that is kept."""
    plain = bytearray()
    for piece in stream:
        plain += piece
        if len(plain) > length:
            break
    if len(plain) != length:
        raise InvalidInput("part", f"This part has {length:,} bytes; others came. Send it again.")
    return plain


def _take_part(actor: Actor, row: Upload, claim: uuid.UUID, plain: bytearray) -> None:
    """Encrypt the next part into staging: named first, done when it is on disk."""
    part = row.parts_done
    keys = _open_keys(actor, row) if row.parts_begun else _new_keys(actor, row, bytes(plain[:HEAD_BYTES]))
    encryptor = _encryptor(row, keys)
    mac = encryptor.mac(part, plain)
    if row.parts_begun == part:
        begin_part(actor, row, claim, keys, mac)
    elif not hmac.compare_digest(mac, bytes(row.part_mac)):
        _start_over(row, claim)
    write_part(row, claim, encryptor, plain)
    keys["digest"] = digest_with(bytes.fromhex(keys["digest"]), plain).hex()
    complete_part(actor, row, claim, keys)


def begin_part(actor: Actor, row: Upload, claim: uuid.UUID, keys: dict[str, str], mac: bytes) -> None:
    """Commit that the next part may be encrypted from now on, and which plaintext it is."""
    changes: dict[str, object] = {"parts_begun": row.parts_done + 1, "part_mac": mac}
    if row.parts_done == 0:
        sealed = seal_draft(actor, about_parts(row), keys)
        changes |= {"staged": row.staged, "part_bytes": row.part_bytes, "sealed_parts": sealed}
    update_claimed(row, claim, **changes)


def write_part(row: Upload, claim: uuid.UUID, encryptor: PartEncryptor, plain: bytearray) -> None:
    """Encrypt the part that was begun, into staging."""
    part, plan, name = row.parts_done, plan_of(row), _staged(row)
    with staging_errors():
        try:
            staging().write(name, plan.offset(part), encryptor.encrypt(part, plain))
        except StagedMissing:
            _start_over(row, claim)


def complete_part(actor: Actor, row: Upload, claim: uuid.UUID, keys: dict[str, str]) -> None:
    """Commit that the part begun is on disk."""
    sealed = seal_draft(actor, about_parts(row), keys)
    update_claimed(row, claim, parts_done=row.parts_begun, sealed_parts=sealed)


def _new_keys(actor: Actor, row: Upload, head: bytes) -> dict[str, str]:
    """Key and salt of this attempt, kept with the first part, which says what the file is.

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
    salt = new_salt(str(draft["nonce"]).encode())
    return {
        "key": secrets.token_bytes(writing.KEY_BYTES).hex(),
        "salt": salt.hex(),
        "digest": NO_DIGEST.hex(),
    }


def _open_keys(actor: Actor, row: Upload) -> dict[str, str]:
    return open_draft(actor, about_parts(row), bytes(row.sealed_parts))


def _encryptor(row: Upload, keys: dict[str, str]) -> PartEncryptor:
    key, salt = bytes.fromhex(keys["key"]), bytes.fromhex(keys["salt"])
    return PartEncryptor(key, raw(row.record), salt, plan_of(row))


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
    """Read the staged file once: every chunk verified, the plaintext inspected, the file stored."""
    plan, digest = plan_of(row), hashlib.sha256()
    key = bytes.fromhex(keys["key"])

    def verified(file: Decryptor, inspection: Inspection) -> Iterator[bytes]:
        heart = Heart(row, claim)
        for sealed, plain in file.chunks():
            digest.update(plain)
            heart.beat()
            inspection.feed(plain)
            yield sealed
        inspection.end()

    try:
        with (
            inspecting_draft(draft) as inspection,
            storing() as store,
            staging().reading(_staged(row)) as (read_at, size),
        ):
            file = Decryptor(key, Role.CONTENT, raw(row.record), read_at=read_at, size=size)
            if file.plaintext_size != plan.size:
                raise FileRefused("another size than described")
            stored = put_held(store, verified(file, inspection), record=row.record)
    except (StagedMissing, FileRefused):
        _start_over(row, claim)
    return Received(stored, plan.size, digest.digest(), key, file.salt, inspection.media_type)
