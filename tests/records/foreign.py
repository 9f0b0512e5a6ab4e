"""Another portal, or a hostile client, with an account's keys: acts over files of its making."""

import time
from typing import Any

from accounts.actor import Actor
from accounts.directory import PublicKey
from chain.acts.messages import ZERO_ADDRESS, prepare_act
from chain.contract.slots import slot_grant
from chain.models import Act
from chain.outbox.submit import next_number, submit_act
from records.chain_words import ZERO_WORD, word
from records.content import store
from records.crypto.envelopes import EnvelopeEntry, EnvelopeList, envelope_digest, seal_envelope
from records.services.envelopes import ListAbout


def put(data: bytes) -> str:
    """Put a small ciphertext into the store, past the portal; return its digest."""
    return store().put([data]).cid.hex


def put_list(entries: list[EnvelopeEntry]) -> str:
    """Put a list of any entries into the store; return its digest."""
    return put(EnvelopeList.of(entries).to_bytes())


def entry(actor: Actor, about: ListAbout, key: PublicKey, payload: bytes) -> EnvelopeEntry:
    """An envelope, put into the store, and its entry."""
    sealed = seal_envelope(about.context(actor.origin, key.account), key.key, payload)
    put(sealed)
    return EnvelopeEntry(key.account, key.digest, envelope_digest(sealed))


def send(actor: Actor, kind: str, **fields: Any) -> Act:
    """Sign an act with the account's key, whatever it says."""
    return submit_act(actor.sign(prepare_act(kind, author=actor.address, **fields)))


def send_grant(actor: Actor, grantee: str, via: str, *, folder: int, envelopes: str, epoch: int = 0) -> Act:
    """Grant a folder, with any list."""
    now = int(time.time())
    scope = word(folder)
    return send(
        actor,
        "GrantAccess",
        grantee=grantee,
        via=via,
        scope=scope,
        permissions=1,
        notBefore=now - 60,
        expiry=now + 86_400,
        epoch=epoch,
        envelopes=envelopes,
        request=ZERO_WORD,
        serial=next_number(slot_grant(actor.address, grantee, via or ZERO_ADDRESS, scope)),
    )
