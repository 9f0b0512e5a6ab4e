"""An envelope of an ended grant, so far unerased: for tests of stores that know nothing of consent."""

import secrets

from django.utils import timezone

from chain.keys.ecdsa import address_of_key
from records.content import keep_blob
from records.crypto.envelopes import EnvelopeEntry, Purpose
from records.crypto.envelopes import EnvelopeList as PublicList
from records.models import Envelope, EnvelopeList


def keep_ended_envelope(data: bytes) -> str:
    """Keep these bytes as an envelope that was sealed here, and may be erased; return their digest."""
    patient, recipient = (address_of_key(secrets.token_bytes(32)) for _ in range(2))
    digest, key_digest = keep_blob(data), "0x" + secrets.token_hex(32)
    entry = EnvelopeEntry(recipient, key_digest, bytes.fromhex(digest[2:]))
    listed = EnvelopeList.objects.create(
        digest=keep_blob(PublicList.of([entry]).to_bytes()),
        purpose=Purpose.RECORD,
        sender=patient,
        patient=patient,
        scope="0x" + secrets.token_hex(32),
    )
    Envelope.objects.create(
        list=listed,
        recipient=recipient,
        key_digest=key_digest,
        digest=digest,
        verified=True,
        deleted_at=timezone.now(),
    )
    return digest
