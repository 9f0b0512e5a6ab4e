"""Key bundles: what sessions and tokens hold instead of entropy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from accounts.crypto.errors import BadBundle, BadJson
from accounts.crypto.keys import address_of, folder_root, sharing_seed, signing_key
from accounts.crypto.origin import ADDRESS
from accounts.crypto.strict_json import JsonObject, hex_bytes, read_object, whole_number

FORMAT = 1
BYTES_MAX = 1024 * 1024
ACCOUNTS_MAX = 16
_U32_MAX = 2**32 - 1


@dataclass(frozen=True)
class AccountKeys:
    """One account's keys. `sharing_seeds` is by (generation, version); no signing key means read-only."""

    index: int
    address: str
    sharing_seeds: Mapping[tuple[int, int], bytes] = field(repr=False)
    folder_root: bytes = field(repr=False)
    signing_key: bytes | None = field(repr=False)


@dataclass(frozen=True)
class KeyBundle:
    """The keys of a phrase's accounts, by account index."""

    accounts: Mapping[int, AccountKeys]

    def read_only(self) -> "KeyBundle":
        """The same bundle without signing keys."""
        return KeyBundle({i: replace(keys, signing_key=None) for i, keys in self.accounts.items()})

    def to_bytes(self) -> bytes:
        """Serialise, secrets and all: only ever to be sealed."""
        rows = [_to_json(keys) for keys in self.accounts.values()]
        return json.dumps({"format": FORMAT, "accounts": rows}, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "KeyBundle":
        """The bundle that `to_bytes` wrote. Raises BadBundle."""
        try:
            content = read_object(data, most=BYTES_MAX)
            content.constant("format", FORMAT)
            rows = [_from_json(JsonObject(row)) for row in content.items("accounts", most=ACCOUNTS_MAX)]
        except BadJson as error:
            raise BadBundle("not a key bundle") from error
        return cls({keys.index: keys for keys in rows})


def derive_account(entropy: bytes, index: int, generation: int, version: int) -> AccountKeys:
    """Keys of one account of a phrase, in its generation and with every sharing key up to this version."""
    key = signing_key(entropy, index)
    return AccountKeys(
        index=index,
        address=address_of(key),
        sharing_seeds={
            (generation, past): sharing_seed(entropy, index, generation, past)
            for past in range(1, version + 1)
        },
        folder_root=folder_root(entropy, index),
        signing_key=key,
    )


def derive_bundle(entropy: bytes, places: Mapping[int, tuple[int, int]]) -> KeyBundle:
    """Keys of several accounts: account index -> (generation, newest version of its sharing key)."""
    return KeyBundle({index: derive_account(entropy, index, *place) for index, place in places.items()})


def _to_json(keys: AccountKeys) -> dict[str, Any]:
    return {
        "index": keys.index,
        "address": keys.address,
        "sharing_seeds": [[*place, seed.hex()] for place, seed in keys.sharing_seeds.items()],
        "folder_root": keys.folder_root.hex(),
        "signing_key": keys.signing_key.hex() if keys.signing_key is not None else None,
    }


def _from_json(row: JsonObject) -> AccountKeys:
    address = row.text("address", most=42)
    if not ADDRESS.fullmatch(address):
        raise BadJson("address: 0x and 40 hex digits are expected")
    return AccountKeys(
        index=row.number("index", most=_U32_MAX),
        address=address,
        sharing_seeds=dict(_seed(item) for item in row.items("sharing_seeds", most=BYTES_MAX)),
        folder_root=row.hex_bytes("folder_root", 32),
        signing_key=None if row.is_null("signing_key") else row.hex_bytes("signing_key", 32),
    )


def _seed(item: Any) -> tuple[tuple[int, int], bytes]:
    if not isinstance(item, list) or len(item) != 3:
        raise BadJson("sharing_seeds: generation, version and seed are expected")
    generation = whole_number(item[0], "generation", least=0, most=_U32_MAX)
    version = whole_number(item[1], "version", least=0, most=_U32_MAX)
    return (generation, version), hex_bytes(item[2], "seed", 32)
