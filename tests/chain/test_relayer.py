"""Sending: batches, their order, refusals."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from chain.acts.messages import ZERO_ADDRESS, SignedAct, sign_act
from chain.contract.slots import folder_scope
from chain.models import Act, ActState, Event, Transaction
from chain.models.sending import TransactionState
from chain.node import client
from chain.node.deployment import deployment
from chain.outbox.submit import submit_act
from chain.registry import _act_handlers, on_act_settled
from chain.relayer import sender
from chain.relayer.batches import Batch, next_batch
from chain.support.shared_clock import SharedNow
from tests.chain.test_outbox import grant, revoke
from tests.chain_node import ChainNode, fresh_person, state_of


def test_several_acts_go_in_one_transaction_and_are_confirmed_at_depth(chain: ChainNode) -> None:
    acts = [chain.new_record(fresh_person()) for _ in range(5)]
    chain.relay()
    assert Transaction.objects.count() == 1
    chain.sync()
    assert [state_of(act) for act in acts] == [ActState.WAITING] * 5
    assert all(act.event is not None for act in acts)
    chain.mine()
    chain.sync()
    assert [state_of(act) for act in acts] == [ActState.CONFIRMED] * 5
    chain.relay()
    row = Transaction.objects.get()
    assert (row.state, row.act_count, row.succeeded) == (TransactionState.CONFIRMED, 5, True)


def test_a_chain_of_acts_that_build_on_each_other_goes_through(chain: ChainNode) -> None:
    clinic, doctor, patient = fresh_person(), fresh_person(), fresh_person()
    chain.admit(clinic.address)
    chain.affiliate(clinic, doctor.address)
    grant(patient, doctor.address, via=clinic.address, permissions=3)
    written = chain.new_record(doctor, patient=patient.address, via=clinic.address)
    chain.settle()
    assert state_of(written) == ActState.CONFIRMED
    assert Transaction.objects.count() == 1
    assert client.can_write(patient.address, doctor.address, clinic.address, folder_scope(1))
    assert not client.can_read(patient.address, doctor.address, ZERO_ADDRESS, folder_scope(1))


def test_an_act_does_not_go_while_what_it_builds_on_is_under_way(held_blocks: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    first = grant(patient, doctor.address)
    held_blocks.relay()
    second, free = grant(patient, doctor.address, 2), grant(patient, fresh_person().address)
    assert [act.pk for act in next_batch()[0].acts] == [free.pk]
    held_blocks.mine()
    held_blocks.sync()
    assert {act.pk for act in next_batch()[0].acts} == {second.pk, free.pk}
    assert state_of(first) == ActState.WAITING


def test_an_act_does_not_go_before_one_that_is_put_off(chain: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    first, second = grant(patient, doctor.address), grant(patient, doctor.address, 2)
    Act.objects.filter(pk=first.pk).update(retry_tick=SharedNow(timedelta(minutes=4)))
    chain.relay()
    assert Transaction.objects.count() == 0
    chain.settle()
    assert state_of(first) == state_of(second) == ActState.CONFIRMED


def test_what_is_read_ahead_is_neither_of_the_batch_before_nor_builds_on_it(
    chain: ChainNode, settings: Settings
) -> None:
    patient, doctor = fresh_person(), fresh_person()
    first, second = grant(patient, doctor.address), grant(patient, doctor.address, 2)
    free = [grant(fresh_person(), doctor.address) for _ in range(3)]
    settings.CHAIN_BATCH_BYTES = 700  # an act each
    before, _ = next_batch()
    assert [act.pk for act in before.acts] == [first.pk]
    ahead, full = next_batch(after=before.acts)
    assert ([act.pk for act in ahead.acts], full) == ([free[0].pk], True)
    chain.relay()
    sent = Transaction.objects.order_by("nonce").values_list("acts", flat=True)
    assert list(sent) == [act.pk for act in (first, *free)]
    chain.settle()
    assert {state_of(act) for act in (first, second, *free)} == {ActState.CONFIRMED}
    assert Transaction.objects.count() == 5


def test_a_batch_read_ahead_that_somebody_else_sends_meanwhile_is_left_to_them(
    chain: ChainNode, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = [grant(fresh_person(), fresh_person().address) for _ in range(4)]
    settings.CHAIN_BATCH_BYTES = 700
    asked = 0

    def read(*given: Any, **after: Any) -> tuple[Batch, bool]:
        nonlocal asked
        found = next_batch(*given, **after)
        if after and not asked:  # settled by its event, right after it was read
            Act.objects.filter(pk=found[0].acts[0].pk).update(state=ActState.CONFIRMED)
            asked += 1
        return found

    monkeypatch.setattr(sender, "next_batch", read)
    chain.relay()
    sent = Transaction.objects.order_by("nonce").values_list("acts", flat=True)
    assert (asked, list(sent)) == (1, [acts[0].pk, acts[2].pk, acts[3].pk])


def test_a_refused_act_fails_in_plain_words_and_holds_nobody_up(chain: ChainNode) -> None:
    bad = chain.new_record(fresh_person(), secret=bytes(39))
    good = chain.new_record(fresh_person())
    told: list[tuple[object, str]] = []
    handler = on_act_settled("NewRecord")(lambda act: told.append((act.pk, act.state)))
    try:
        chain.settle()
    finally:
        _act_handlers["NewRecord"].remove(handler)
    assert state_of(good) == ActState.CONFIRMED
    assert state_of(bad) == ActState.FAILED
    assert (bad.error_code, bad.error) == ("BadSecret", "The wrapped secret has the wrong length.")
    assert bad.transaction is None
    assert sorted(told, key=str) == sorted([(bad.pk, "failed"), (good.pk, "confirmed")], key=str)


def test_a_refused_act_is_not_given_up_before_all_is_known(chain: ChainNode) -> None:
    bad = chain.new_record(fresh_person(), secret=bytes(39))
    chain.mine()
    chain.relay()
    Act.objects.filter(pk=bad.pk).update(retry_tick=None)
    chain.relay()
    assert state_of(bad) == ActState.WAITING  # the indexer has not read up to the refusal
    chain.mine()
    chain.sync()
    Act.objects.filter(pk=bad.pk).update(retry_tick=None)
    chain.relay()
    assert state_of(bad) == ActState.FAILED


def test_an_act_that_lost_a_race_comes_back_to_its_author(chain: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    late = grant(patient, doctor.address, 1)
    Act.objects.filter(pk=late.pk).update(retry_tick=SharedNow(timedelta(minutes=4)))
    overtaking = revoke(patient, doctor.address, 2)
    chain.settle()
    assert state_of(overtaking) == ActState.CONFIRMED
    Act.objects.filter(pk=late.pk).update(retry_tick=None)
    chain.settle()
    assert state_of(late) == ActState.RETURNED
    assert late.error_code == "SerialNotNext"
    assert not client.can_read(patient.address, doctor.address, ZERO_ADDRESS, folder_scope(1))


def test_an_act_refused_in_its_transaction_is_judged_again(held_blocks: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    late, other = grant(patient, doctor.address, 1), held_blocks.new_record(fresh_person())
    held_blocks.relay()
    overtaking = revoke(patient, doctor.address, 2)
    call = {
        "from": held_blocks.rpc("eth_accounts")[0],
        "to": deployment().address,
        "data": "0x" + overtaking.calldata.hex(),
        "gas": hex(300_000),
        "maxFeePerGas": hex(10**11),
        "maxPriorityFeePerGas": hex(5 * 10**10),  # goes first in the block
    }
    held_blocks.rpc("eth_sendTransaction", call)
    held_blocks.settle()
    assert state_of(overtaking) == state_of(other) == ActState.CONFIRMED
    assert state_of(late) == ActState.RETURNED
    assert (late.tries, late.transaction) == (1, None)
    assert not client.can_read(patient.address, doctor.address, ZERO_ADDRESS, folder_scope(1))


def test_an_act_is_not_confirmed_by_an_event_that_differs(chain: ChainNode) -> None:
    person = fresh_person()
    ours = person.submit("NameFolder", folder=1, name=bytes(32), serial=1)
    other = sign_act(person.prepare("NameFolder", folder=1, name=b"\x01" * 32, serial=1), person.key)
    call = {
        "from": chain.rpc("eth_accounts")[0],
        "to": deployment().address,
        "data": "0x" + other.act.calldata(other.signature).hex(),
        "gas": hex(300_000),
    }
    chain.rpc("eth_sendTransaction", call)
    chain.settle()
    assert state_of(ours) == ActState.RETURNED
    assert ours.error_code == "SerialNotNext"


def test_an_act_sent_by_somebody_else_is_confirmed_by_its_event(chain: ChainNode) -> None:
    act = chain.new_record(fresh_person())
    funder = chain.rpc("eth_accounts")[0]
    contract = deployment().address
    chain.rpc(
        "eth_sendTransaction",
        {"from": funder, "to": contract, "data": "0x" + act.calldata.hex(), "gas": hex(300_000)},
    )
    chain.sync()
    chain.relay()
    assert Transaction.objects.count() == 0
    chain.mine()
    chain.sync()
    assert state_of(act) == ActState.CONFIRMED


@pytest.mark.parametrize("applied", [True, False])
def test_an_act_on_the_chain_before_its_row_is_no_failure(chain: ChainNode, applied: bool) -> None:
    act = chain.new_record(fresh_person())
    chain.settle()
    # As when the indexer read the event while the transaction that accepts the act was still open.
    Act.objects.update(state=ActState.WAITING, event=None, transaction=None)
    Event.objects.update(applied=applied)
    for _ in range(2):
        chain.relay()
        Act.objects.update(retry_tick=None)
    act.refresh_from_db()
    assert act.state == (ActState.CONFIRMED if applied else ActState.WAITING)
    assert act.event is not None


def test_an_act_that_a_contract_judges_goes_alone(chain: ChainNode) -> None:
    first = chain.new_record(fresh_person())
    wallet = fresh_person()
    alone = submit_act(
        SignedAct(wallet.prepare("NameFolder", folder=1, name=bytes(32), serial=1), b"\x01" * 65, True)
    )
    last = chain.new_record(fresh_person())
    assert [act.pk for act in next_batch()[0].acts] == [first.pk, last.pk]
    chain.settle()
    assert state_of(first) == state_of(last) == ActState.CONFIRMED
    assert state_of(alone) == ActState.RETURNED
    assert alone.error_code == "NotSigner"


def test_a_batch_closes_at_its_bytes(chain: ChainNode, settings: Settings) -> None:
    settings.CHAIN_BATCH_BYTES = 4_000
    for _ in range(10):
        chain.new_record(fresh_person())
    batch, full = next_batch()
    assert full
    assert len(batch.calldata) <= 4_000
    assert 1 < len(batch.acts) < 10
    chain.settle()
    assert Transaction.objects.count() > 1
    assert not Act.objects.waiting().exists()
