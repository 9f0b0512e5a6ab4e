"""The bytes of an upload on their way into the store: measured, inspected, encrypted under a new key."""

import secrets
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings

from records.chain_words import raw
from records.content import storing
from records.crypto.mdr1 import Encryptor, Role, new_salt
from records.errors import InvalidInput
from records.holdings import put_held
from records.models import Upload
from records.room import require_room
from records.services import writing
from records.services.inspecting import Inspection, inspecting_draft
from records.services.registering import Received
from records.services.upload_rows import Heartbeat, check_size


def encrypt_upload(
    row: Upload, claim: uuid.UUID, draft: dict[str, Any], stream: Iterable[bytes], length: int | None
) -> Received:
    """Encrypt the plaintext into the store, under a key and a salt that no other attempt has.

    Raises InvalidInput, TooLarge, Conflict, WrongType, Infected, ScannerDown, StoreDown, and what the stream
    raises; then the store keeps nothing.
    """
    key = secrets.token_bytes(writing.KEY_BYTES)
    encryptor = Encryptor(key, Role.CONTENT, raw(row.record), new_salt(str(draft["nonce"]).encode()))
    with inspecting_draft(draft) as inspection, storing() as store:
        plain = _measured(row, claim, stream, length, inspection)
        stored = put_held(store, encryptor.encrypt(plain), record=row.record)
    size, digest = encryptor.plaintext_size, encryptor.sha256
    return Received(stored, size, digest, key, encryptor.salt, inspection.media_type)


def _measured(
    row: Upload, claim: uuid.UUID, stream: Iterable[bytes], length: int | None, inspection: Inspection
) -> Iterator[bytes]:
    """The stream, measured and inspected: what it raises goes through the store, which then keeps nothing."""
    size, heartbeat = 0, Heartbeat(row, claim)
    for piece in stream:
        size += len(piece)
        if size > settings.UPLOAD_MAX_BYTES:
            check_size(size)
        require_room(0)
        heartbeat.renew()
        inspection.feed(piece)
        yield piece
    if size == 0:
        raise InvalidInput("size", "No bytes came. Send the file as the body, with its Content-Length.")
    if any(expected is not None and size != expected for expected in (length, row.size)):
        raise InvalidInput("size", "The file was cut on its way, or is not the one described. Send it again.")
    inspection.end()
