"""Envelopes: keys and words sealed to one recipient in one context, and the public list of them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from eth_utils.address import to_checksum_address

from accounts.crypto.derivation import labelled, require_length, u32
from accounts.crypto.keys import SharingKey, key_digest
from accounts.crypto.origin import Origin, address_bytes
from accounts.crypto.sealing import open_sealed, seal
from records.crypto.errors import BadList, BadPayload

ENVELOPE_MAX = 1024 * 1024
"""Bytes of an envelope and of a list: one raw IPFS block, so that its digest is its SHA-256."""
_MAGIC = b"MDRL\x01"
_ENTRY_BYTES = 20 + 32 + 32


class Purpose(IntEnum):
    """What an envelope is for. Says what its scope is and which payload it holds."""

    FOLDER = 1
    RECORD = 2
    SELECTION = 3
    TERMS = 4
    REASON = 5
    INBOX = 6
    QUEUED = 7


@dataclass(frozen=True)
class EnvelopeContext:
    """What an envelope is bound to. Another context does not open it.

    `scope` is 32 bytes: a folder's number (`folder_scope`), or the id of record, selection or request.
    `epoch` is packed, as in the act; 0 where the purpose has none.
    """

    origin: Origin
    purpose: Purpose
    sender: str
    recipient: str
    patient: str
    scope: bytes
    epoch: int = 0

    def info(self, key_digest: str) -> bytes:
        """HPKE's `info`, with the keccak256 digest ("0x" and 64 hex digits) of the recipient's key."""
        return labelled(
            "envelope",
            self.origin.to_bytes(),
            bytes((Purpose(self.purpose),)),
            address_bytes(self.sender),
            address_bytes(self.recipient),
            require_length("key digest", bytes.fromhex(key_digest.removeprefix("0x")), 32),
            address_bytes(self.patient),
            require_length("scope", self.scope, 32),
            u32(self.epoch),
        )


def folder_scope(folder: int) -> bytes:
    """A folder's number as a scope: 32 bytes, big-endian."""
    return folder.to_bytes(32, "big")


def seal_envelope(context: EnvelopeContext, recipient_public: bytes, payload: bytes) -> bytes:
    """Seal a payload (its `to_bytes()`) to the recipient's published sharing key.

    Raises BadPublicKey, or BadPayload when it would be longer than 1 MiB.
    """
    sealed = seal(recipient_public, context.info(key_digest(recipient_public)), payload)
    if len(sealed) > ENVELOPE_MAX:
        raise BadPayload(f"an envelope has at most {ENVELOPE_MAX} bytes")
    return sealed


def open_envelope(context: EnvelopeContext, seed: bytes, envelope: bytes) -> bytes:
    """The payload, by the recipient's sharing seed. Raises CannotOpen, also for any other context."""
    return open_sealed(seed, context.info(SharingKey(seed).digest), envelope)


def envelope_digest(envelope: bytes) -> bytes:
    """SHA-256 (32 bytes) by which the list names an envelope and IPFS finds it (CIDv1, raw)."""
    return hashlib.sha256(envelope).digest()


@dataclass(frozen=True)
class EnvelopeEntry:
    """One line of the public list: for whom, under which key (keccak256), which envelope (SHA-256)."""

    recipient: str
    key_digest: str
    envelope: bytes


@dataclass(frozen=True)
class EnvelopeList:
    """The public list whose digest a signed act names. In one order, so that equal lists have one digest."""

    entries: tuple[EnvelopeEntry, ...]

    @classmethod
    def of(cls, entries: Iterable[EnvelopeEntry]) -> "EnvelopeList":
        """The entries in the list's order: by recipient, then key digest."""
        return cls(tuple(sorted(entries, key=_row)))

    def to_bytes(self) -> bytes:
        """Magic, count (4 bytes), then recipient (20), key digest (32), envelope digest (32) of each.

        Raises BadList when it is empty, unsorted, longer than 1 MiB or names a recipient's key twice.
        """
        rows = [_row(entry) for entry in self.entries]
        _require_order(rows)
        data = _MAGIC + u32(len(rows)) + b"".join(rows)
        if len(data) > ENVELOPE_MAX:
            raise BadList(f"a list has at most {ENVELOPE_MAX} bytes")
        return data

    @property
    def digest(self) -> bytes:
        """SHA-256 of the list's bytes (32): what the act carries."""
        return hashlib.sha256(self.to_bytes()).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> "EnvelopeList":
        """The list in its canonical bytes. Raises BadList."""
        head = len(_MAGIC) + 4
        count, rest = divmod(len(data) - head, _ENTRY_BYTES)
        if rest or len(data) > ENVELOPE_MAX or data[:head] != _MAGIC + max(count, 0).to_bytes(4, "big"):
            raise BadList("not a list of envelopes")
        rows = [data[at : at + _ENTRY_BYTES] for at in range(head, len(data), _ENTRY_BYTES)]
        _require_order(rows)
        return cls(
            tuple(
                EnvelopeEntry(to_checksum_address(row[:20]), "0x" + row[20:52].hex(), row[52:])
                for row in rows
            )
        )


def _row(entry: EnvelopeEntry) -> bytes:
    digest = bytes.fromhex(entry.key_digest.removeprefix("0x"))
    return (
        address_bytes(entry.recipient)
        + require_length("key digest", digest, 32)
        + require_length("envelope digest", entry.envelope, 32)
    )


def _require_order(rows: list[bytes]) -> None:
    places = [row[:52] for row in rows]
    if not rows or places != sorted(set(places)):
        raise BadList("a list has entries in order, each recipient's key once")
