"""Gas: what a batch is sent with, transactions that run out of it, and signers that burn it."""

import secrets
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from chain.acts.messages import SignedAct
from chain.keys.ecdsa import address_of_key
from chain.models import Act, ActState, Attempt, Transaction
from chain.node import client
from chain.outbox.submit import submit_act
from chain.relayer import batches, sender
from chain.relayer.batches import Batch
from chain.relayer.fees import fee_ceiling, market_fees
from chain.status.summary import chain_status
from tests.chain.test_outbox import grant, revoke
from tests.chain_node import ChainNode, Person, fresh_person, state_of

BURNS_ALL_GAS = "0x5b5f56"  # JUMPDEST PUSH0 JUMP
SAYS_YES = "0x631626ba7e60e01b5f5260205ff3"  # ERC-1271's magic value to every question


def judged_by(chain: ChainNode, code: str, folder: int = 1) -> Act:
    """An act of an account whose signatures are judged by a contract of this code."""
    wallet = fresh_person()
    chain.rpc("anvil_setCode", wallet.address, code)
    act = wallet.prepare("NameFolder", folder=folder, name=bytes(32), serial=1)
    return submit_act(SignedAct(act, b"\x01" * 65, True))


def every_kind(chain: ChainNode) -> list[Act]:
    """Acts of the kinds that are sent most, done through an institution where they can be."""
    clinic, doctor, patient = fresh_person(), fresh_person(), fresh_person()
    through: dict[str, Any] = {"via": clinic.address}
    acts = [chain.admit(clinic.address), chain.affiliate(clinic, doctor.address)]
    acts += [one.submit("PublishKey", key=b"\xff" * 1217, version=1) for one in (patient, doctor)]
    asked = {"patient": patient.address, "nonce": b"\x05" * 32, "envelopes": b"\xff" * 32} | through
    acts.append(doctor.submit("RequestAccess", **asked))
    acts.append(grant(patient, doctor.address, permissions=3, **through))
    acts.append(chain.new_record(doctor, patient=patient.address, **through))
    acts += [grant(patient, fresh_person().address), chain.new_record(patient)]
    acts += [chain.new_record(doctor, patient=patient.address, folder=0, **through)]
    acts.append(modify(patient, doctor, acts[6], **through))
    acts.append(revoke(patient, fresh_person().address, 1))
    acts.append(patient.submit("NameFolder", folder=1, name=b"\xff" * 32, serial=1))
    acts.append(patient.submit("BlockSender", sender=fresh_person().address, blocked=True, serial=1))
    acts.append(patient.submit("NameRecovery", recovery=fresh_person().address, serial=1))
    replaced = {"generation": 1, "signer": fresh_person().address, "envelopes": b"\xff" * 32}
    acts.append(fresh_person().submit("ReplaceKeys", key=b"\xff" * 1217, **replaced))
    return acts


def modify(patient: Person, author: Person, record: Act, **fields: str) -> Act:
    """The second version of a record."""
    digests = {"content": b"\xff" * 32, "description": b"\xff" * 32, "secret": b"\xff" * 40}
    place = {"patient": patient.address, "record": record.slot.removeprefix("record:"), "folder": 1}
    return author.submit("ModifyRecord", **place, **digests, epoch=0, version=2, flags=0, **fields)


def no_estimate(*args: object) -> int:
    """Estimating gas is slow, and not needed."""
    raise AssertionError(f"gas was estimated: {args}")


@pytest.mark.parametrize("one_by_one", [False, True])
def test_what_acts_are_known_to_take_suffices_for_every_kind(
    chain: ChainNode, settings: Settings, monkeypatch: pytest.MonkeyPatch, one_by_one: bool
) -> None:
    if one_by_one:
        settings.CHAIN_BATCH_BYTES = 700
    monkeypatch.setattr(client, "estimate_gas", no_estimate)
    acts = every_kind(chain)
    chain.settle()
    assert [(act.kind, state_of(act)) for act in acts] == [(act.kind, "confirmed") for act in acts]
    assert Transaction.objects.count() == (len(acts) if one_by_one else 1)
    for row in Transaction.objects.all():
        spare = row.attempts.get().gas - (row.gas_used or 0)
        assert spare > 0
        assert one_by_one or spare < batches.ACT_GAS + 30_000 * row.act_count


def test_a_block_without_room_for_one_takes_none_after_it(held_blocks: ChainNode, settings: Settings) -> None:
    settings.CHAIN_BATCH_BYTES = 4_000
    usual = held_blocks.rpc("eth_getBlockByNumber", "latest", False)["gasLimit"]
    acts = [held_blocks.new_record(fresh_person()) for _ in range(11)]
    held_blocks.rpc("evm_setBlockGasLimit", hex(1_513_000))
    try:
        held_blocks.relay()
        counts = list(Transaction.objects.order_by("nonce").values_list("act_count", flat=True))
        assert counts == [5, 5, 1]  # beside the first there is room for the third alone
        for _ in range(3):
            held_blocks.mine()
    finally:
        held_blocks.rpc("evm_setBlockGasLimit", usual)
    assert all(client.receipts(list(Attempt.objects.values_list("hash", flat=True))))
    held_blocks.settle()
    assert {state_of(act) for act in acts} == {ActState.CONFIRMED}


def test_where_it_does_not_suffice_the_gas_is_estimated(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "GAS_BOUND", {"NewRecord": 1_000})
    acts = [chain.new_record(fresh_person()) for _ in range(30)]
    chain.settle()
    assert {state_of(act) for act in acts} == {ActState.CONFIRMED}
    row = Transaction.objects.get()
    assert row.succeeded
    assert row.gas_used is not None
    assert row.attempts.get().gas > row.gas_used


def test_a_transaction_that_ran_out_of_gas_gives_its_acts_back(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = [chain.new_record(fresh_person()) for _ in range(3)]
    with monkeypatch.context() as wrong:
        # As if a state that changed after the simulation made it dearer.
        wrong.setattr(sender, "simulate", lambda batch, *_, **__: replace(batch, gas=250_000))
        chain.relay()
    chain.mine()
    chain.sync()
    chain.relay()
    failed = Transaction.objects.get()
    assert failed.succeeded is False
    for act in acts:
        act.refresh_from_db()
        assert (act.state, act.transaction, act.tries) == (ActState.WAITING, None, 1)
    estimates: list[int] = []
    real = client.estimate_gas

    def noted(to: str, data: bytes, sender: str) -> int:
        estimates.append(real(to, data, sender))
        return estimates[-1]

    monkeypatch.setattr(client, "estimate_gas", noted)
    chain.settle()
    assert {state_of(act) for act in acts} == {ActState.CONFIRMED}
    assert Transaction.objects.count() == 2
    assert len(estimates) == 1  # what such acts usually take is not relied on a second time


def test_a_greedy_signer_holds_nobody_up(chain: ChainNode) -> None:
    first = chain.new_record(fresh_person())
    greedy = judged_by(chain, BURNS_ALL_GAS)
    last = chain.new_record(fresh_person())
    chain.settle()
    assert [state_of(first), state_of(last)] == [ActState.CONFIRMED] * 2
    assert (state_of(greedy), greedy.error_code) == (ActState.RETURNED, "NotSigner")
    assert greedy.transaction is None


def test_a_contract_s_signature_is_confirmed_each_in_a_transaction_of_its_own(chain: ChainNode) -> None:
    acts = [judged_by(chain, SAYS_YES) for _ in range(2)] + [chain.new_record(fresh_person())]
    chain.settle()
    assert [state_of(act) for act in acts] == [ActState.CONFIRMED] * 3
    assert len({act.transaction_id for act in acts}) == 3


def test_a_batch_s_bound_counts_its_calldata(chain: ChainNode) -> None:
    acts = [chain.new_record(fresh_person()) for _ in range(4)]
    batch = Batch(acts, [act.calldata for act in acts])
    data = batch.calldata
    calldata = 16 * len(data) - 12 * data.count(0)
    execution = len(acts) * batches.GAS_BOUND["NewRecord"]
    exact = 21_000 + batches.ACT_GAS + execution + calldata
    assert exact <= batch.gas_bound <= exact + 1_000 + 500 * len(acts)


def test_money_that_is_offered_is_not_offered_twice(held_blocks: ChainNode, settings: Settings) -> None:
    key = secrets.token_bytes(32)
    settings.CHAIN_RELAYER_KEYS = ["0x" + key.hex()]
    price = market_fees(client.head().base_fee, client.priority_fee(), fee_ceiling()).max_fee
    enough_for_one = (2 * batches.ACT_GAS + batches.BASE_GAS) * price * 3 // 2
    held_blocks.rpc("anvil_setBalance", address_of_key(key), hex(enough_for_one))
    acts = [held_blocks.new_record(fresh_person())]
    held_blocks.relay()
    acts.append(held_blocks.new_record(fresh_person()))
    held_blocks.relay()
    assert Transaction.objects.count() == 1
    assert chain_status().paused_reason == ""  # what is left of the first one's money may suffice
    held_blocks.settle()
    assert [state_of(act) for act in acts] == [ActState.CONFIRMED] * 2


def test_the_relayer_s_balance_stands_on_its_row(chain: ChainNode) -> None:
    chain.new_record(fresh_person())
    chain.relay()
    row = Attempt.objects.get().transaction.sender
    assert row.balance_at is not None
    assert row.balance is not None
    assert 0 < client.balance(row.address) <= row.balance
