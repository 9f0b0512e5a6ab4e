"""Envelopes that acts name by the digest of their list, opened by the phrase's sharing keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from .errors import Refused
from .formats import read_list
from .keys import SharingKey
from .store import Store

T = TypeVar("T")


class Purpose(IntEnum):
    """What an envelope is for (docs/FORMAT.md, "Envelopes")."""

    FOLDER = 1
    RECORD = 2
    SELECTION = 3
    TERMS = 4
    REASON = 5
    INBOX = 6


@dataclass(frozen=True)
class About:
    """What an envelope is bound to, besides its recipient: all of it is in the act that names its list."""

    purpose: Purpose
    sender: bytes
    patient: bytes
    scope: bytes
    epoch: int = 0


class Envelopes:
    """The envelopes for one account."""

    def __init__(self, store: Store, origin: bytes, address: bytes, keys: Mapping[bytes, SharingKey]) -> None:
        """`keys`: the account's sharing keys by the digest of their published form."""
        self._store, self._origin, self._address, self._keys = store, origin, address, keys

    def open(self, listed: bytes, about: About, read: Callable[[bytes], T]) -> T:
        """Open the account's part of the list with this digest, by `read`. Raises Refused or OSError."""
        problem: Exception = Refused("its key was sealed to nobody with this phrase")
        for recipient, key_digest, envelope in read_list(self._store.block(listed)):
            key = self._keys.get(key_digest)
            if recipient != self._address or key is None:
                continue
            try:
                return read(key.open(self._store.block(envelope), self._info(about, key_digest)))
            except (Refused, OSError) as error:
                problem = error
        raise problem

    def _info(self, about: About, key_digest: bytes) -> bytes:
        accounts = about.sender, self._address, key_digest, about.patient
        start = b"medrec/v1/envelope\0" + self._origin + bytes((about.purpose,))
        return start + b"".join(accounts) + about.scope + about.epoch.to_bytes(4, "big")
