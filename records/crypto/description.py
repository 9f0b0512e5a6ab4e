"""A version's description: what a list shows of a record, and the key of its content."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from records.crypto.canonical import decode_json, encode_json
from records.crypto.errors import BadDescription, FileRefused
from records.crypto.mdr1 import (
    Decryptor,
    Encryptor,
    ReadAt,
    Role,
    ciphertext_size,
    decryptor_of,
    new_salt,
)

FORMAT = 1
BYTES_MAX = 64 * 1024


@dataclass(frozen=True, repr=False)
class Description:
    """All of it is medical or secret, so it has no repr.

    `size` and `sha256` (32 bytes) are of the plaintext; `content_key` and `content_salt` have 32 bytes;
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
        if len(data) > BYTES_MAX:
            raise BadDescription(f"a description has at most {BYTES_MAX} bytes")
        try:
            values = decode_json(data)
            if values["format"] != FORMAT:
                raise BadDescription("a description of another format")
            day, previous = values["service_date"], values["previous_data_key"]
            found = cls(
                **{name: _text(values[name]) for name in ("title", "kind", "file_name", "media_type")},
                service_date=None if day is None else date.fromisoformat(day),
                size=_count(values["size"]),
                sha256=_bytes32(values["sha256"]),
                content_key=_bytes32(values["content_key"]),
                content_salt=_bytes32(values["content_salt"]),
                content_length=_count(values["content_length"]),
                previous_data_key=None if previous is None else _bytes32(previous),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BadDescription("not a description") from error
        if found.content_length != ciphertext_size(found.size):
            raise BadDescription("size and length of the content do not belong together")
        return found


def seal_description(data_key: bytes, record_id: bytes, description: Description) -> bytes:
    """The description as an encrypted file (MDR1, role description). Raises BadDescription."""
    encryptor = Encryptor(data_key, Role.DESCRIPTION, record_id, new_salt())
    return b"".join(encryptor.encrypt((description.to_bytes(),)))


def open_description(data_key: bytes, record_id: bytes, file: bytes) -> Description:
    """The description in an encrypted file. Raises FileRefused, WrongKey or BadDescription."""
    return Description.from_bytes(decryptor_of(file, data_key, Role.DESCRIPTION, record_id).read())


def open_content(description: Description, record_id: bytes, *, read_at: ReadAt, size: int) -> Decryptor:
    """The content that this description describes. Raises FileRefused for any other file, or WrongKey."""
    if size != description.content_length:
        raise FileRefused("the content has another length than the one described")
    decryptor = Decryptor(description.content_key, Role.CONTENT, record_id, read_at=read_at, size=size)
    if decryptor.salt != description.content_salt:
        raise FileRefused("the content has another salt than the one described")
    return decryptor


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a count expected")
    return value


def _bytes32(value: Any) -> bytes:
    data = bytes.fromhex(value)
    if len(data) != 32:
        raise ValueError("32 bytes expected")
    return data
