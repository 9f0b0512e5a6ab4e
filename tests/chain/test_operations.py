"""An operator's acts: pause, resume, bump, cancel."""

import pytest
from pytest_django import Settings

from chain.errors import ChainError
from chain.models import Act, ActState, Attempt, Sender, Transaction
from chain.models.sending import AttemptState, TransactionState
from chain.node import client
from chain.operations.transactions import bump_transaction, cancel_transaction, pause_sender, resume_sender
from chain.relayer.lease import hold
from chain.status.summary import chain_status
from tests.chain_node import ChainNode, fresh_person, state_of


def test_a_pause_holds_until_an_operator_lifts_it(chain: ChainNode) -> None:
    first = chain.new_record(fresh_person())
    chain.relay()
    sender = Sender.objects.get()
    pause_sender(sender)
    second = chain.new_record(fresh_person())
    chain.settle()
    chain.settle()
    assert state_of(first) == ActState.CONFIRMED  # what was under way is settled
    assert state_of(second) == ActState.WAITING
    assert chain_status().paused_reason == "An operator has paused sending with this key."
    assert Transaction.objects.get().state == TransactionState.CONFIRMED
    resume_sender(sender)
    assert chain_status().paused_reason == ""
    chain.settle()
    assert state_of(second) == ActState.CONFIRMED


def test_a_pause_stops_a_run_before_its_next_batch(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.CHAIN_BATCH_BYTES = 4_000
    for _ in range(10):
        chain.new_record(fresh_person())
    real = client.send_raw

    def send_and_pause(raw: bytes) -> str:
        pause_sender(Sender.objects.get())
        return real(raw)

    with monkeypatch.context() as slow:
        slow.setattr(client, "send_raw", send_and_pause)
        chain.relay()
    assert Transaction.objects.count() == 1


def test_a_bumped_transaction_offers_more_and_is_mined(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    old = Attempt.objects.get()
    new = bump_transaction(Transaction.objects.get())
    assert new.max_fee * 8 >= old.max_fee * 9
    assert new.priority_fee * 8 >= old.priority_fee * 9
    assert held_blocks.rpc("eth_getTransactionByHash", new.hash) is not None
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    new.refresh_from_db()
    assert new.state == AttemptState.MINED
    row = Transaction.objects.get()
    receipt = client.receipt(new.hash)
    assert receipt is not None
    assert row.fee_paid == receipt.fee_paid > 0


def test_a_cancelled_transaction_s_acts_go_back_to_the_queue(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    cancel = cancel_transaction(Transaction.objects.get())
    assert cancel.cancels
    held_blocks.mine()
    held_blocks.sync()
    held_blocks.relay()
    act.refresh_from_db()
    assert (act.state, act.transaction) == (ActState.WAITING, None)
    mined = held_blocks.rpc("eth_getTransactionByHash", cancel.hash)
    assert mined["to"] == mined["from"]
    assert (mined["value"], mined["input"]) == ("0x0", "0x")
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    states = Transaction.objects.order_by("nonce").values_list("state", "act_count")
    assert list(states) == [("confirmed", 1), ("confirmed", 1)]


def test_a_cancel_that_comes_too_late_changes_nothing(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    original = Attempt.objects.get()
    cancel = cancel_transaction(Transaction.objects.get())
    held_blocks.rpc("anvil_dropTransaction", cancel.hash)
    held_blocks.rpc("eth_sendRawTransaction", "0x" + bytes(original.raw).hex())
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    original.refresh_from_db()
    assert original.state == AttemptState.MINED
    assert Transaction.objects.count() == 1


def test_a_stuck_cancel_is_replaced_by_a_cancel(held_blocks: ChainNode, settings: Settings) -> None:
    settings.CHAIN_STUCK_BLOCKS = 1
    held_blocks.new_record(fresh_person())
    held_blocks.relay()
    cancel = cancel_transaction(Transaction.objects.get())
    held_blocks.rpc("anvil_dropTransaction", cancel.hash)
    held_blocks.mine()
    held_blocks.relay()
    raised = Attempt.objects.get(state=AttemptState.IN_PROGRESS)
    assert raised.pk != cancel.pk
    sent = held_blocks.rpc("eth_getTransactionByHash", raised.hash)
    assert (raised.cancels, sent["input"]) == (True, "0x")
    assert sent["to"] == sent["from"]


def test_a_mined_transaction_cannot_be_bumped_or_cancelled(held_blocks: ChainNode) -> None:
    held_blocks.new_record(fresh_person())
    held_blocks.relay()
    row = Transaction.objects.get()
    held_blocks.mine()
    with pytest.raises(ChainError, match="mined already"):
        cancel_transaction(row)
    held_blocks.settle()
    with pytest.raises(ChainError, match="not under way"):
        bump_transaction(row)
    assert Attempt.objects.count() == 1


def test_the_ceiling_of_fees_holds_for_operators_too(held_blocks: ChainNode, settings: Settings) -> None:
    held_blocks.new_record(fresh_person())
    held_blocks.relay()
    settings.CHAIN_MAX_FEE_GWEI = Attempt.objects.get().max_fee / 10**9
    with pytest.raises(ChainError, match="ceiling"):
        bump_transaction(Transaction.objects.get())


def test_an_operator_waits_for_the_lease(held_blocks: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    held_blocks.new_record(fresh_person())
    held_blocks.relay()
    monkeypatch.setattr("chain.operations.transactions._PATIENCE", 0.2)
    with hold(Sender.objects.get()), pytest.raises(ChainError, match="busy"):
        bump_transaction(Transaction.objects.get())
    assert bump_transaction(Transaction.objects.get()).state == AttemptState.IN_PROGRESS
    assert Act.objects.waiting().count() == 1


def test_another_key_s_transaction_cannot_be_replaced(chain: ChainNode) -> None:
    del chain
    stranger = Sender.objects.create(address=fresh_person().address)
    row = Transaction.objects.create(sender=stranger, nonce=0, act_count=0)
    with pytest.raises(ChainError, match="is not set here"):
        bump_transaction(row)
