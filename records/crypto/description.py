"""A version's description: what a list shows of a record, and the key of its content."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from accounts.crypto.errors import BadJson
from accounts.crypto.strict_json import JsonObject, read_object
from records.crypto.canonical import BYTES_MAX, encode_json
from records.crypto.errors import BadDescription, FileRefused
from records.crypto.mdr1 import (
    CHUNK_BYTES,
    CHUNKS_MAX,
    Decryptor,
    Encryptor,
    ReadAt,
    Role,
    ciphertext_size,
    decryptor_of,
    new_salt,
)

FORMAT = 1
TEXTS_MAX = {"title": 1000, "kind": 64, "file_name": 1000, "media_type": 255}
"""Characters (code points) that each text may have; this portal's forms allow fewer."""


@dataclass(frozen=True, repr=False)
class Description:
    """All of it is medical or secret, so it has no repr.

    `size` and `sha256` (32 bytes) are of the plaintext. `content_key` and `content_salt` have 32 bytes.
    `content_length` is the size of the encrypted file. `previous_data_key` is that of the version before,
    where it differs from this version's.
    """

    title: str
    kind: str
    service_date: date | None
    file_name: str
    media_type: str
    size: int
    sha256: bytes
    content_key: bytes
    content_salt: bytes
    content_length: int
    previous_data_key: bytes | None = None

    def to_bytes(self) -> bytes:
        """Padded canonical JSON. Raises BadDescription for one that `from_bytes` would refuse."""
        values: dict[str, Any] = {
            "format": FORMAT,
            "title": self.title,
            "kind": self.kind,
            "service_date": self.service_date.isoformat() if self.service_date else None,
            "file_name": self.file_name,
            "media_type": self.media_type,
            "size": self.size,
            "sha256": self.sha256.hex(),
            "content_key": self.content_key.hex(),
            "content_salt": self.content_salt.hex(),
            "content_length": self.content_length,
            "previous_data_key": self.previous_data_key.hex() if self.previous_data_key else None,
        }
        try:
            data = encode_json(values)
        except ValueError as error:
            raise BadDescription("the description holds text that cannot be written") from error
        self.from_bytes(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> "Description":
        """The description in padded JSON, every field checked. Raises BadDescription."""
        try:
            fields = read_object(data, most=BYTES_MAX)
            fields.constant("format", FORMAT)
            description = cls(
                **{name: fields.text(name, most=most) for name, most in TEXTS_MAX.items()},
                service_date=fields.day("service_date"),
                size=fields.number("size", most=CHUNKS_MAX * CHUNK_BYTES),
                sha256=fields.hex_bytes("sha256", 32),
                content_key=fields.hex_bytes("content_key", 32),
                content_salt=fields.hex_bytes("content_salt", 32),
                content_length=fields.number("content_length"),
                previous_data_key=_previous_key(fields),
            )
        except BadJson as error:
            raise BadDescription("not a description") from error
        if description.content_length != ciphertext_size(description.size):
            raise BadDescription("size and length of the content do not belong together")
        return description


def seal_description(data_key: bytes, record_id: bytes, description: Description) -> bytes:
    """The description as an encrypted file (MDR1, role description). Raises BadDescription."""
    encryptor = Encryptor(data_key, Role.DESCRIPTION, record_id, new_salt())
    return b"".join(encryptor.encrypt((description.to_bytes(),)))


def open_description(data_key: bytes, record_id: bytes, file: bytes) -> Description:
    """The description in an encrypted file. Raises FileRefused, WrongKey or BadDescription."""
    return Description.from_bytes(decryptor_of(file, data_key, Role.DESCRIPTION, record_id).read())


class DescribedContent(Decryptor):
    """A content that is given out whole only if it has the SHA-256 that its description names.

    A read of the whole holds the last chunk back until the digest is compared. A range is verified bytes of
    the file that the content key sealed, and no more is known of it.
    """

    def __init__(self, description: Description, record_id: bytes, *, read_at: ReadAt, size: int) -> None:
        super().__init__(description.content_key, Role.CONTENT, record_id, read_at=read_at, size=size)
        self._sha256 = description.sha256

    def _iterate(self, start: int, end: int) -> Iterator[bytes]:
        whole, digest, read = (start, end) == (0, self.plaintext_size), hashlib.sha256(), 0
        if whole and not self.plaintext_size:
            self._compare(digest.digest())
        for part in super()._iterate(start, end):
            if whole:
                digest.update(part)
                read += len(part)
                if read == end:
                    self._compare(digest.digest())
            yield part

    def _compare(self, digest: bytes) -> None:
        if digest != self._sha256:
            raise FileRefused("the content has another SHA-256 than the one described")


def open_content(description: Description, record_id: bytes, *, read_at: ReadAt, size: int) -> Decryptor:
    """The content that this description describes. Raises FileRefused for any other file, or WrongKey.

    Reading the whole raises FileRefused before its last chunk where the SHA-256 is not the one described.
    """
    if size != description.content_length:
        raise FileRefused("the content has another length than the one described")
    content = DescribedContent(description, record_id, read_at=read_at, size=size)
    if content.salt != description.content_salt:
        raise FileRefused("the content has another salt than the one described")
    return content


def _previous_key(fields: JsonObject) -> bytes | None:
    return None if fields.is_null("previous_data_key") else fields.hex_bytes("previous_data_key", 32)
