"""Nonces: gaps, those that somebody else used, and chains that go back."""

import logging
from typing import Any

import pytest
from pytest_django import Settings

from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import relayer_keys
from chain.models import Act, ActState, Attempt, Cursor, Sender, Transaction
from chain.models.sending import AttemptState, TransactionState
from chain.node import client
from chain.node.deployment import deployment
from chain.operations.deploy import send_and_wait
from chain.relayer import broadcast, sender
from chain.status.summary import chain_status
from tests.chain.test_outbox import grant
from tests.chain_node import FUNDER, ChainNode, fresh_person, state_of


def relayer() -> Sender:
    """The row of the relayer's one key."""
    return Sender.objects.get_or_create(address=address_of_key(relayer_keys()[0]))[0]


def send_directly(chain: ChainNode, act: Act, **fields: str) -> None:
    """Somebody sends an act to the contract, before anybody else's transactions."""
    call = {"from": chain.rpc("eth_accounts")[0], "to": deployment().address, "gas": hex(300_000)}
    price = {"maxFeePerGas": hex(10**11), "maxPriorityFeePerGas": hex(5 * 10**10)}
    chain.rpc("eth_sendTransaction", call | price | {"data": "0x" + act.calldata.hex()} | fields)


def reorganise(chain: ChainNode, block: int) -> None:
    """Put empty blocks in the place of a block and all after it."""
    chain.rpc("anvil_reorg", client.head().number - block + 1, [])


def test_a_nonce_for_which_there_are_no_bytes_is_used_up(chain: ChainNode) -> None:
    sender, used = relayer(), client.nonce(relayer().address)
    # As after a chain's loss: it no longer knows two nonces that somebody else had used, one of them ours.
    Transaction.objects.create(sender=sender, nonce=used + 1, act_count=3, state=TransactionState.LOST)
    act = chain.new_record(fresh_person())
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED
    rows = Transaction.objects.order_by("nonce")
    assert [(row.nonce, row.state) for row in rows] == [(used + n, "confirmed") for n in range(3)]
    assert [row.attempts.get().cancels for row in rows] == [True, True, False]
    assert client.nonce(sender.address) == used + 3


def test_a_nonce_used_by_somebody_else_pauses_until_it_is_settled(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    held_blocks.rpc("anvil_dropTransaction", Attempt.objects.get().hash)
    held_blocks.rpc("evm_setAutomine", True)
    held_blocks.mine()
    send_and_wait(relayer_keys()[0], address_of_key(FUNDER), value=1)
    later = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    assert "was used by a transaction that is not ours" in chain_status().paused_reason
    assert Transaction.objects.count() == 1
    held_blocks.mine()
    held_blocks.sync()
    held_blocks.relay()
    assert chain_status().paused_reason == ""
    held_blocks.settle()
    assert [state_of(act), state_of(later)] == [ActState.CONFIRMED] * 2
    assert sorted(Transaction.objects.values_list("state", flat=True)) == ["confirmed", "lost"]


def test_a_transaction_that_a_reorganisation_took_is_sent_again(chain: ChainNode) -> None:
    acts = [chain.new_record(fresh_person()) for _ in range(3)]
    chain.settle()
    attempt, row = Attempt.objects.get(), Transaction.objects.get()
    assert row.block_number is not None
    reorganise(chain, row.block_number)
    chain.sync()
    assert [state_of(act) for act in acts] == [ActState.WAITING] * 3
    chain.settle()
    assert [state_of(act) for act in acts] == [ActState.CONFIRMED] * 3
    assert Attempt.objects.get().hash == attempt.hash
    mined = client.receipt(attempt.hash)
    assert mined is not None
    assert Transaction.objects.get().block_number == mined.block_number


def test_an_attempt_that_was_replaced_may_be_mined_after_all(
    held_blocks: ChainNode, settings: Settings
) -> None:
    settings.CHAIN_STUCK_BLOCKS = 1
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    first = Attempt.objects.get()
    held_blocks.rpc("anvil_dropTransaction", first.hash)
    held_blocks.mine()
    held_blocks.relay()
    second = Attempt.objects.get(state=AttemptState.IN_PROGRESS)
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    row = Transaction.objects.get()
    assert row.block_number is not None
    # On the other branch it is the first attempt that is mined at the nonce.
    reorganise(held_blocks, row.block_number)
    held_blocks.rpc("eth_sendRawTransaction", "0x" + bytes(first.raw).hex())
    held_blocks.mine()
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    states = {one.pk: one.state for one in Attempt.objects.all()}
    assert states == {first.pk: AttemptState.MINED, second.pk: AttemptState.REPLACED}
    assert Transaction.objects.get().state == TransactionState.CONFIRMED


def test_a_replacement_that_was_offered_before_a_reorganisation_is_offered_again(
    held_blocks: ChainNode, settings: Settings
) -> None:
    settings.CHAIN_STUCK_BLOCKS = 2
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    first = Attempt.objects.get()
    Attempt.objects.update(sent_block=0)
    held_blocks.relay()
    second = Attempt.objects.get(state=AttemptState.IN_PROGRESS)
    held_blocks.rpc("anvil_dropTransaction", second.hash)
    held_blocks.rpc("eth_sendRawTransaction", "0x" + bytes(first.raw).hex())
    held_blocks.settle()
    row = Transaction.objects.get()
    assert row.block_number is not None
    reorganise(held_blocks, row.block_number)
    held_blocks.sync()
    held_blocks.relay()  # the same bytes once more, and time to be mined
    assert Attempt.objects.get(state=AttemptState.IN_PROGRESS) == first
    held_blocks.rpc("anvil_dropTransaction", first.hash)
    held_blocks.mine(2)
    held_blocks.relay()
    assert Attempt.objects.get(state=AttemptState.IN_PROGRESS) == second
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert {one.pk: one.state for one in Attempt.objects.all()} == {
        first.pk: AttemptState.REPLACED,
        second.pk: AttemptState.MINED,
    }


def test_a_nonce_that_another_used_after_a_reorganisation_queues_the_acts_anew(chain: ChainNode) -> None:
    act = chain.new_record(fresh_person())
    chain.settle()
    row = Transaction.objects.get()
    assert row.block_number is not None
    reorganise(chain, row.block_number)
    send_and_wait(relayer_keys()[0], address_of_key(FUNDER), value=1)
    for _ in range(3):
        chain.mine()
        chain.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert list(Transaction.objects.order_by("nonce").values_list("state", flat=True)) == [
        "lost",
        "confirmed",
    ]


def test_an_act_whose_proof_was_another_s_goes_again_when_that_is_taken_back(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    send_directly(held_blocks, act)  # goes first: ours carries it in vain
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert act.event is not None
    row = Transaction.objects.get()
    assert (row.state, row.succeeded) == (TransactionState.CONFIRMED, True)
    assert client.receipt(Attempt.objects.get().hash) is not None
    # The other's event goes, and ours stays where it was, in vain: a reorganisation took only that one.
    Cursor.objects.update(seen=act.event.block_number)
    event = act.event
    Act.objects.update(state=ActState.WAITING, event=None)
    event.delete()
    held_blocks.rpc("evm_setAutomine", True)
    held_blocks.mine()
    held_blocks.relay()
    act.refresh_from_db()
    assert act.transaction is None or act.transaction_id != row.pk


def test_an_act_that_somebody_else_relayed_first_is_confirmed_by_its_event(held_blocks: ChainNode) -> None:
    patient = fresh_person()
    act, other = grant(patient, fresh_person().address), held_blocks.new_record(fresh_person())
    held_blocks.relay()
    send_directly(held_blocks, act)
    held_blocks.settle()
    assert [state_of(act), state_of(other)] == [ActState.CONFIRMED] * 2
    assert act.event is not None
    assert act.event.tx_hash != Attempt.objects.get().hash
    assert Transaction.objects.count() == 1


def test_an_act_that_its_signer_sent_is_confirmed_by_its_event(chain: ChainNode) -> None:
    person = fresh_person()
    chain.fund(person.address)
    act = person.submit("NameFolder", folder=1, name=bytes(32), serial=1)
    unsigned = act.prepared.calldata(b"")  # the sender is the author: no signature is needed
    send_and_wait(person.key, deployment().address, unsigned, gas=300_000)
    chain.mine()
    chain.sync()
    assert state_of(act) == ActState.CONFIRMED
    chain.relay()
    assert Transaction.objects.count() == 0


def test_a_node_that_lags_behind_what_was_read_judges_nothing(chain: ChainNode) -> None:
    bad = chain.new_record(fresh_person(), secret=bytes(39))
    Cursor.objects.update(seen=client.head().number + 1)
    chain.relay()
    bad.refresh_from_db()
    assert (bad.refused_block, bad.retry_tick) == (None, None)
    Cursor.objects.update(seen=client.head().number)
    chain.relay()
    bad.refresh_from_db()
    assert bad.refused_block is not None


def test_a_stuck_transaction_above_the_ceiling_raises_an_alarm_until_it_is_mined(
    held_blocks: ChainNode, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHAIN_STUCK_BLOCKS = 1
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    attempt = Attempt.objects.get()
    settings.CHAIN_MAX_FEE_GWEI = attempt.max_fee / 10**9
    held_blocks.rpc("anvil_dropTransaction", attempt.hash)
    held_blocks.mine()
    with caplog.at_level(logging.ERROR):
        held_blocks.relay()
        held_blocks.relay()
    alarm = Transaction.objects.get().alarm
    assert "ceiling of fees" in alarm
    assert len([line for line in caplog.messages if alarm in line]) == 1
    assert Attempt.objects.count() == 1
    held_blocks.rpc("eth_sendRawTransaction", "0x" + bytes(attempt.raw).hex())
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert Transaction.objects.get().alarm == ""


def test_a_reorganisation_while_the_sender_is_at_work_stops_nothing(
    held_blocks: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The indexer reopens a mined transaction. Its attempts are the sender's to reopen, at its next run."""
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    held_blocks.mine()
    real = broadcast.resend_open

    def rewound_meanwhile(*given: Any) -> None:
        Transaction.objects.filter(state=TransactionState.MINED).reopen()
        assert Transaction.objects.get().attempts.get().state == AttemptState.MINED
        real(*given)

    with monkeypatch.context() as rewinding:
        rewinding.setattr(sender, "resend_open", rewound_meanwhile)
        held_blocks.relay()
    assert Transaction.objects.get().state == TransactionState.SENDING
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert Transaction.objects.get().state == TransactionState.CONFIRMED
