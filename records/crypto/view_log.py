"""What is anchored of the view log: each look as bytes, and the id of a log that goes on after another."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from eth_utils.crypto import keccak

from accounts.crypto.derivation import labelled, require_length, u32, u64
from accounts.crypto.origin import address_bytes

KINDS = {"content": 1, "list": 2}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Look:
    """A row of the view log, every field of it. `id` is random: who has only the hash guesses no look."""

    id: UUID
    patient: str
    record: str
    version: int
    viewer: str
    via: str
    what: str
    at: datetime

    def to_bytes(self) -> bytes:
        """The entry in the Merkle tree, 136 bytes. Raises ValueError or OverflowError for what is no look."""
        if self.what not in KINDS:
            raise ValueError("not a kind of look")
        record = bytes.fromhex(self.record.removeprefix("0x")) if self.record else bytes(32)
        return labelled(
            "view",
            self.id.bytes,
            address_bytes(self.patient),
            require_length("record id", record, 32),
            u32(self.version),
            address_bytes(self.viewer),
            address_bytes(self.via) if self.via else bytes(20),
            bytes((KINDS[self.what],)),
            u64((self.at - _EPOCH) // timedelta(microseconds=1)),
        )


def next_log_id(log: bytes, size: int, root: bytes) -> bytes:
    """The id of the log that goes on after this one's anchor of so many entries and this root."""
    fields = require_length("log id", log, 32), u64(size), require_length("root", root, 32)
    return keccak(labelled("view-log-after", *fields))
