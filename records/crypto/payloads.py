"""Write and read what envelopes hold: keys of fixed width, then the terms (docs/FORMAT.md, "Envelopes")."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from accounts.crypto.derivation import u16, u32
from accounts.crypto.errors import BadJson
from accounts.crypto.strict_json import read_object
from records.crypto.canonical import BYTES_MAX, encode_json
from records.crypto.errors import BadPayload
from records.crypto.ids import SELECTION_MAX, selection_id

PERMISSIONS = (1, 3)
"""Read, read and write: as the contract has them."""
DAYS_MAX = 36_525
CODE_MAX, KINDS_MAX, WORDS_MAX = 64, 256, 10_000
"""Characters of a code, codes in a list, characters of a note or reason; this portal's forms allow fewer."""


@dataclass(frozen=True, repr=False)
class Terms:
    """What a request asks for or a grant says, in words of the portal's vocabularies.

    `permissions`: 1 read, 3 read and write. `first_date` and `last_date` bound the records' dates of service.
    """

    purpose: str
    kinds: tuple[str, ...]
    permissions: int
    days: int | None = None
    first_date: date | None = None
    last_date: date | None = None
    note: str = ""

    def to_bytes(self) -> bytes:
        """Padded canonical JSON. Raises BadPayload for terms that `from_bytes` would refuse."""
        values = {
            "purpose": self.purpose,
            "kinds": sorted(self.kinds),
            "permissions": self.permissions,
            "days": self.days,
            "first_date": self.first_date.isoformat() if self.first_date else None,
            "last_date": self.last_date.isoformat() if self.last_date else None,
            "note": self.note,
        }
        data = _encode(values)
        self.from_bytes(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> "Terms":
        """The terms in padded JSON. Raises BadPayload."""
        try:
            fields = read_object(data, most=BYTES_MAX)
            permissions = fields.number("permissions")
            if permissions not in PERMISSIONS:
                raise BadJson("permissions: 1 or 3 is expected")
            return cls(
                purpose=fields.text("purpose", most=CODE_MAX),
                kinds=fields.texts("kinds", most=KINDS_MAX, most_each=CODE_MAX),
                permissions=permissions,
                days=None if fields.is_null("days") else fields.number("days", most=DAYS_MAX),
                first_date=fields.day("first_date"),
                last_date=fields.day("last_date"),
                note=fields.text("note", most=WORDS_MAX),
            )
        except BadJson as error:
            raise BadPayload("not the terms of a request or grant") from error


@dataclass(frozen=True, repr=False)
class Reason:
    """Why a request was denied or a record refused."""

    text: str

    def to_bytes(self) -> bytes:
        """Padded canonical JSON. Raises BadPayload."""
        data = _encode({"text": self.text})
        self.from_bytes(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> "Reason":
        """The reason in padded JSON. Raises BadPayload."""
        try:
            return cls(read_object(data, most=BYTES_MAX).text("text", most=WORDS_MAX))
        except BadJson as error:
            raise BadPayload("not a reason") from error


@dataclass(frozen=True, repr=False)
class FolderPayload:
    """A granted folder: its secret by packed epoch, one of each generation, and the grant's terms."""

    secrets: Mapping[int, bytes]
    terms: Terms

    @property
    def newest(self) -> int:
        """The highest packed epoch."""
        return max(self.secrets)

    def to_bytes(self) -> bytes:
        """Count (2 bytes), then epoch (4) and secret (32) of each by rising epoch, then the terms."""
        _require_secrets(self.secrets)
        rows = b"".join(u32(epoch) + secret for epoch, secret in sorted(self.secrets.items()))
        return u16(len(self.secrets)) + rows + self.terms.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "FolderPayload":
        """Read the bytes of `to_bytes`. Raises BadPayload."""
        rows, rest = _rows(data, head=0, count_bytes=2, widths=(4, 32))
        epochs = [epoch for epoch, _ in rows]
        if epochs != sorted(set(epochs)):
            raise BadPayload("the epochs do not rise, or one stands twice")
        secrets = {int.from_bytes(epoch, "big"): secret for epoch, secret in rows}
        _require_secrets(secrets)
        return cls(secrets, Terms.from_bytes(rest))


@dataclass(frozen=True, repr=False)
class RecordPayload:
    """A granted record: the data key of its newest version (which opens the past), and the grant's terms."""

    data_key: bytes
    terms: Terms

    def to_bytes(self) -> bytes:
        """Data key (32 bytes), then the terms."""
        return DataKeyPayload(self.data_key).to_bytes() + self.terms.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "RecordPayload":
        """Read the bytes of `to_bytes`. Raises BadPayload."""
        return cls(DataKeyPayload.from_bytes(data[:32]).data_key, Terms.from_bytes(data[32:]))


@dataclass(frozen=True, repr=False)
class SelectionPayload:
    """A granted selection: the nonce in its id, its records' data keys by record id, the grant's terms."""

    nonce: bytes
    data_keys: Mapping[bytes, bytes]
    terms: Terms

    def selection_id(self, patient: str) -> bytes:
        """The id that this list of this patient's records has. The reader compares it with the scope."""
        return selection_id(patient, self.nonce, self.data_keys)

    def to_bytes(self) -> bytes:
        """Nonce (32), count (4), record id (32) and data key (32) of each by rising id, then the terms."""
        widths = {len(self.nonce), *(len(part) for row in self.data_keys.items() for part in row)}
        if widths != {32} or not 0 < len(self.data_keys) <= SELECTION_MAX:
            raise BadPayload("not a selection of records")
        rows = b"".join(record + key for record, key in sorted(self.data_keys.items()))
        return self.nonce + u32(len(self.data_keys)) + rows + self.terms.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "SelectionPayload":
        """Read the bytes of `to_bytes`. Raises BadPayload."""
        rows, rest = _rows(data, head=32, count_bytes=4, widths=(32, 32))
        ids = [record for record, _ in rows]
        if ids != sorted(set(ids)) or not 0 < len(ids) <= SELECTION_MAX:
            raise BadPayload("not a selection of records")
        return cls(data[:32], dict(rows), Terms.from_bytes(rest))


@dataclass(frozen=True, repr=False)
class DataKeyPayload:
    """A record's data key alone: into the inbox, or kept for author and patient while a record is queued."""

    data_key: bytes

    def to_bytes(self) -> bytes:
        """The data key, 32 bytes. Raises BadPayload."""
        if len(self.data_key) != 32:
            raise BadPayload("a data key has 32 bytes")
        return self.data_key

    @classmethod
    def from_bytes(cls, data: bytes) -> "DataKeyPayload":
        """Read the bytes of `to_bytes`. Raises BadPayload."""
        return cls(cls(data).to_bytes())


def _require_secrets(secrets: Mapping[int, bytes]) -> None:
    generations = {epoch >> 16 for epoch in secrets}
    widths = {len(secret) for secret in secrets.values()}
    if not secrets or len(generations) != len(secrets) or widths != {32}:
        raise BadPayload("a folder has one secret of each generation")


def _rows(
    data: bytes, *, head: int, count_bytes: int, widths: tuple[int, int]
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The counted rows of two fields that follow `head` bytes, and what comes after them."""
    first = head + count_bytes
    count = int.from_bytes(data[head:first], "big")
    left, width = widths[0], sum(widths)
    end = first + count * width
    if len(data) < max(first, end):
        raise BadPayload("the payload was cut")
    starts = range(first, end, width)
    return [(data[at : at + left], data[at + left : at + width]) for at in starts], data[end:]


def _encode(values: dict[str, Any]) -> bytes:
    try:
        return encode_json(values)
    except ValueError as error:
        raise BadPayload("text that cannot be written") from error
