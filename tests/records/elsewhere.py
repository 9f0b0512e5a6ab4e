"""Another portal of the same patient: its acts never pass this one's outbox."""

import time

from django.conf import settings

from accounts.actor import Actor
from chain.acts.messages import PreparedAct, prepare_act, sign_act
from chain.contract.slots import folder_scope, slot_grant
from chain.node.deployment import deployment
from chain.operations.deploy import send_and_wait
from chain.outbox.submit import next_number
from records.chain_words import ZERO_WORD
from records.services.epochs import current_epoch
from tests.chain.raw_acts import send_from_elsewhere
from tests.chain_node import FUNDER, ChainNode


def grant_elsewhere(
    chain: ChainNode,
    patient: Actor,
    grantee: str,
    via: str,
    *,
    envelopes: str,
    folder: int = 1,
    record: str = "",
    epoch: int | None = None,
    relay: bool = True,
) -> None:
    """Grant a folder, at its present epoch, or a record through another portal, which names this list."""
    now, scope = int(time.time()), record or folder_scope(folder)
    epoch = 0 if record else epoch
    fields = {"grantee": grantee, "via": via, "scope": scope, "permissions": 1}
    times = {"notBefore": now - 60, "expiry": now + 86_400}
    act = prepare_act(
        "GrantAccess",
        author=patient.address,
        **fields,
        **times,
        epoch=current_epoch(patient.address, folder) if epoch is None else epoch,
        envelopes=envelopes,
        request=ZERO_WORD,
        serial=next_number(slot_grant(patient.address, grantee, via, scope)),
    )
    _send(chain, patient, act, relay=relay)


def move_elsewhere(
    chain: ChainNode,
    patient: Actor,
    *,
    envelopes: str,
    to: int,
    epoch: int | None = None,
    folder: int = 1,
) -> None:
    """Move a folder on, from its present epoch, through another portal, which names this list."""
    act = prepare_act(
        "RekeyFolder",
        author=patient.address,
        folder=folder,
        fromEpoch=current_epoch(patient.address, folder) if epoch is None else epoch,
        toEpoch=to,
        envelopes=envelopes,
    )
    _send(chain, patient, act)


def _send(chain: ChainNode, patient: Actor, act: PreparedAct, *, relay: bool = True) -> None:
    """Without `relay` what waits in this portal's outbox stays there."""
    key = patient.keys.signing_key
    assert key is not None
    if relay:
        return send_from_elsewhere(chain, act, key)
    data = act.calldata(sign_act(act, key).signature)
    assert send_and_wait(FUNDER, deployment().address, data, gas=5_000_000).succeeded
    chain.mine(settings.CHAIN_CONFIRMATIONS)
    return chain.sync()
