"""The portal's own signing keys: from the settings, else from files in var/keys.

Never in the database, never in a log.
"""

import secrets
from pathlib import Path

from django.conf import settings

from chain.errors import MissingKey
from chain.keys.ecdsa import address_of_key
from chain.keys.secret_files import write_once

NAMES = ("relayer", "admission", "anchor", "admin")


def key_path(name: str) -> Path:
    """Return where a key is kept when the settings do not give it."""
    return Path(settings.VAR) / "keys" / f"{name}.key"


def make_key(name: str) -> bool:
    """Make a key's file, readable by its owner only, unless it is there; whether it was made."""
    return write_once(key_path(name), "0x" + secrets.token_bytes(32).hex() + "\n")


def file_address(name: str) -> str:
    """Return the address of a key's file. Raises MissingKey."""
    return address_of_key(_key(name, ""))


def _parse(text: str, name: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip().removeprefix("0x"))
        address_of_key(key)
    except Exception:
        # Without the cause: its text could hold the key.
        raise MissingKey(f"The {name} key is not 32 bytes as 0x-hex.") from None
    return key


def _key(name: str, setting: str) -> bytes:
    if setting:
        return _parse(setting, name)
    try:
        return _parse(key_path(name).read_text(), name)
    except FileNotFoundError:
        raise MissingKey(f"There is no {name} key; run `manage.py make_keys` or set it.") from None


def relayer_keys() -> list[bytes]:
    """Return the keys that pay for transactions, each with a nonce sequence of its own."""
    settings_keys: list[str] = settings.CHAIN_RELAYER_KEYS
    return [_parse(text, "relayer") for text in settings_keys] or [_key("relayer", "")]


def find_relayer_key(address: str) -> bytes | None:
    """Return the relayer key of an address; None if it is none of ours now."""
    return next((key for key in relayer_keys() if address_of_key(key) == address), None)


def admission_key() -> bytes:
    """Return the key that admits and suspends institutions. MissingKey where the portal does not hold it."""
    return _key("admission", settings.CHAIN_ADMISSION_KEY)


def anchor_key() -> bytes:
    """Return the key that anchors the view log. MissingKey where the portal does not hold it."""
    return _key("anchor", settings.CHAIN_ANCHOR_KEY)


def admin_key() -> bytes:
    """Return the cold key that holds the roles; used by deploy_contract for its address alone."""
    return _key("admin", settings.CHAIN_ADMIN_KEY)
