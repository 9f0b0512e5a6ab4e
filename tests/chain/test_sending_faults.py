"""Sending when something fails: crashes, a bad node, no money, a foreign nonce, a taken lease."""

import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from chain.errors import ChainUnavailable, RpcRefused
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import relayer_keys
from chain.models import Act, ActState, Attempt, Sender, Transaction
from chain.models.sending import AttemptState
from chain.node import client, identity, rpc
from chain.operations.deploy import send_and_wait
from chain.operations.transactions import bump_transaction
from chain.relayer import sender as sending
from chain.relayer.fees import Fees, market_fees, replacement_fees
from chain.relayer.lease import LeaseLost, hold
from chain.status.summary import chain_status
from chain.support.shared_clock import SharedNow
from tests.chain_node import FUNDER, ChainNode, fresh_person, state_of


def test_a_node_s_own_trouble_is_no_refusal(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    act = chain.new_record(fresh_person())

    def troubled(*args: object, **options: object) -> bytes:
        del args, options
        raise RpcRefused("header not found")

    with monkeypatch.context() as trouble:
        trouble.setattr(rpc, "call", troubled)
        for _ in range(3):
            chain.relay()
            chain.mine()
            chain.sync()
    assert state_of(act) == ActState.WAITING
    assert "header not found" in chain_status().paused_reason
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED


def die(*args: object) -> None:
    """End the process as kill -9 does."""
    del args
    raise KeyboardInterrupt


def test_after_a_crash_before_the_broadcast_the_same_bytes_go(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = chain.new_record(fresh_person())
    with monkeypatch.context() as crash:
        crash.setattr(sending, "broadcast", die)
        with pytest.raises(KeyboardInterrupt):
            chain.relay()
    saved = Attempt.objects.get()
    assert saved.sent_at is None
    chain.settle()
    assert Attempt.objects.get().hash == saved.hash
    assert state_of(act) == ActState.CONFIRMED
    assert client.receipt(saved.hash) is not None


def test_after_a_crash_after_the_broadcast_nothing_happens_twice(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = chain.new_record(fresh_person())
    real = client.send_raw

    def send_and_die(raw: bytes) -> str:
        real(raw)
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(client, "send_raw", send_and_die)
        with pytest.raises(KeyboardInterrupt):
            chain.relay()
    chain.settle()
    assert Transaction.objects.count() == 1
    assert state_of(act) == ActState.CONFIRMED


def test_bytes_the_node_knows_already_are_as_good_as_sent(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    Attempt.objects.update(sent_at=None)
    held_blocks.relay()
    assert Attempt.objects.get().sent_at is not None
    assert chain_status().paused_reason == ""
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_a_dropped_transaction_is_sent_again(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    held_blocks.rpc("anvil_dropTransaction", Attempt.objects.get().hash)
    Attempt.objects.update(sent_at=timezone.now() - timedelta(seconds=60))
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert Attempt.objects.count() == 1


def test_a_stuck_transaction_is_replaced_at_higher_fees(held_blocks: ChainNode, settings: Settings) -> None:
    settings.CHAIN_STUCK_BLOCKS = 1
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    old = Attempt.objects.get()
    held_blocks.rpc("anvil_dropTransaction", old.hash)
    held_blocks.mine()
    held_blocks.relay()
    new = Attempt.objects.get(state=AttemptState.IN_PROGRESS)
    old.refresh_from_db()
    assert old.state == AttemptState.REPLACED
    assert new.transaction_id == old.transaction_id
    assert new.max_fee * 8 >= old.max_fee * 9
    assert new.priority_fee * 8 >= old.priority_fee * 9
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_the_wrong_chain_pauses_and_the_right_one_resumes(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = chain.new_record(fresh_person())
    with monkeypatch.context() as wrong:
        wrong.setattr(identity, "chain_id", lambda: 1)
        chain.relay()
    assert "The node is of chain 1" in Sender.objects.get().paused_reason
    assert "The node is of chain 1" in chain_status().paused_reason
    assert Transaction.objects.count() == 0
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert chain_status().paused_reason == ""


def test_no_contract_or_another_s_pauses(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.new_record(fresh_person())
    with monkeypatch.context() as gone:
        gone.setattr(client, "code", lambda _: b"")
        chain.relay()
    assert "no contract" in Sender.objects.get().paused_reason
    with monkeypatch.context() as other:
        other.setattr(client, "code", lambda _: b"\x60\x00")
        chain.relay()
    assert "not this portal's" in Sender.objects.get().paused_reason
    assert Transaction.objects.count() == 0


def test_a_node_that_is_down_pauses_and_resumes(chain: ChainNode, settings: Settings) -> None:
    act = chain.new_record(fresh_person())
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    with pytest.raises(ChainUnavailable):
        client.head()
    chain.relay()
    chain.sync()
    status = chain_status()
    assert "does not answer" in status.paused_reason
    assert not status.reachable
    assert Act.objects.waiting().count() == 1
    settings.CHAIN_RPC_URL = chain.url
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert chain_status().reachable


def test_a_relayer_without_money_pauses_and_resumes(chain: ChainNode, settings: Settings) -> None:
    key = secrets.token_bytes(32)
    settings.CHAIN_RELAYER_KEYS = ["0x" + key.hex()]
    act = chain.new_record(fresh_person())
    chain.relay()
    sender = Sender.objects.get()
    assert "too little money" in sender.paused_reason
    chain.fund(sender.address)
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_on_a_network_without_fees_no_money_is_needed(
    chain: ChainNode, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAIN_RELAYER_KEYS = ["0x" + secrets.token_hex(32)]
    usual = chain.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"]
    monkeypatch.setattr(client, "priority_fee", lambda: 0)
    chain.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
    chain.mine()
    try:
        act = chain.new_record(fresh_person())
        chain.settle()
        assert state_of(act) == ActState.CONFIRMED
        assert Attempt.objects.get().max_fee == 0
    finally:
        chain.rpc("anvil_setNextBlockBaseFeePerGas", usual)
        chain.mine()


def test_a_cheaper_attempt_than_the_node_s_is_as_good_as_sent(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    cheaper = Attempt.objects.get()
    dearer = bump_transaction(Transaction.objects.get())
    # As after a reorganisation that took the block in which the cheaper one was mined.
    Attempt.objects.filter(pk=dearer.pk).update(state=AttemptState.REPLACED)
    Attempt.objects.filter(pk=cheaper.pk).update(state=AttemptState.IN_PROGRESS, sent_at=None)
    held_blocks.relay()
    assert chain_status().paused_reason == ""
    cheaper.refresh_from_db()
    assert cheaper.sent_at is not None
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    dearer.refresh_from_db()
    assert dearer.state == AttemptState.MINED


def test_a_nonce_used_by_somebody_else_loses_nothing(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    held_blocks.rpc("anvil_dropTransaction", Attempt.objects.get().hash)
    held_blocks.rpc("evm_setAutomine", True)
    send_and_wait(relayer_keys()[0], address_of_key(FUNDER), value=1)
    held_blocks.settle()
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert sorted(Transaction.objects.values_list("state", flat=True)) == ["confirmed", "lost"]


def test_only_one_process_holds_a_key_and_a_lost_lease_saves_nothing(chain: ChainNode) -> None:
    del chain
    sender = Sender.objects.create(address=fresh_person().address)
    with hold(sender) as mine:
        assert mine is not None
        with hold(sender) as theirs:
            assert theirs is None
        Sender.objects.update(lease="somebody else")
        with pytest.raises(LeaseLost):
            mine.renew()
    Sender.objects.update(lease_tick=SharedNow())
    with hold(sender) as again:
        assert again is not None


def test_a_sender_whose_lease_is_taken_saves_nothing(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = chain.new_record(fresh_person())
    real = rpc.call

    def stalled(to: str, data: bytes, **options: Any) -> bytes:
        # So slow that the lease ran out, and another process took it.
        Sender.objects.update(lease="another process", lease_tick=SharedNow())
        return real(to, data, **options)

    with monkeypatch.context() as slow:
        slow.setattr(rpc, "call", stalled)
        chain.relay()
    assert not Transaction.objects.exists()
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_fees_leave_room_and_stop_at_the_ceiling() -> None:
    assert market_fees(100, 2, 1_000) == Fees(202, 2)
    assert market_fees(600, 2, 1_000) == Fees(1_000, 2)
    assert replacement_fees(Fees(100, 8), Fees(50, 1), 1_000) == Fees(113, 9)
    assert replacement_fees(Fees(0, 0), Fees(0, 0), 1_000) == Fees(1, 1)
    assert replacement_fees(Fees(950, 8), Fees(50, 1), 1_000) is None
