"""What an account keeps for itself alone until it is used: sealed under a key of its own."""

import json
from typing import Any

from accounts.actor import Actor
from accounts.crypto.keys import private_key
from accounts.crypto.vault import open_under, seal_under


def seal_draft(actor: Actor, about: bytes, values: dict[str, Any]) -> bytes:
    """Seal JSON-able values, bound to what they are about. Raises VaultClosed."""
    return seal_under(private_key(actor.folder_root), json.dumps(values).encode(), _context(actor, about))


def open_draft(actor: Actor, about: bytes, sealed: bytes) -> dict[str, Any]:
    """Open a draft that `seal_draft` sealed. Raises CannotOpen, VaultClosed."""
    opened = open_under(private_key(actor.folder_root), sealed, _context(actor, about))
    values: dict[str, Any] = json.loads(opened)
    return values


def _context(actor: Actor, about: bytes) -> bytes:
    return b"medrec/v1/draft\x00" + bytes.fromhex(actor.address[2:]) + about
