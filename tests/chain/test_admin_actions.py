"""An operator's acts on the operations page: done, refused, and in the admin's log."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import Settings

from chain.models import Act, ActState, Cursor, Sender, Transaction
from chain.models.sending import AttemptState
from chain.status.overview import overview
from tests.chain.operators import PAGE, chain_head, logged, said, stuck_transaction
from tests.chain_node import ChainNode, Person, fresh_person, state_of


def test_pause_and_resume(root: Client, chain: ChainNode) -> None:
    first = chain.new_record(fresh_person())
    chain.settle()
    sender = Sender.objects.get()
    answer = root.post(f"{PAGE}pause/{sender.pk}/", follow=True)
    assert f"Sending is paused: {sender.address}." in answer.content.decode()
    assert "paused by an operator" in said(root)
    waits = chain.new_record(fresh_person())
    chain.settle()
    assert (state_of(first), state_of(waits)) == ("confirmed", "waiting")
    root.post(f"{PAGE}resume/{sender.pk}/")
    chain.settle()
    assert state_of(waits) == "confirmed"
    assert logged() == [
        (sender.address, "Sending is paused."),
        (sender.address, "Sending goes on."),
    ]
    assert LogEntry.objects.filter(user__is_superuser=True).count() == 2


def test_a_stuck_transaction_is_bumped(root: Client, held_blocks: ChainNode, settings: Settings) -> None:
    settings.CHAIN_STUCK_BLOCKS = 5
    row = stuck_transaction(held_blocks)
    assert overview().stuck_count == 0
    Cursor.objects.update(head=chain_head() + 5)
    (shown,) = overview().open_transactions
    assert (shown.stuck, shown.blocks, overview().stuck_count) == (True, 5, 1)
    assert "for 5 blocks or more" in said(root)
    old = row.attempts.get()
    page = root.get(f"{PAGE}bump/{row.pk}/").content.decode()
    assert f"nonce {row.nonce} of {row.sender.address}" in page
    assert f"{old.max_fee / 10**9:.9g} gwei" in page
    root.post(f"{PAGE}bump/{row.pk}/")
    new = row.attempts.get(state=AttemptState.IN_PROGRESS)
    assert new.max_fee * 8 >= old.max_fee * 9
    assert logged() == [(str(row), "The transaction was sent again for more.")]


def test_a_transaction_is_cancelled_and_its_act_goes_on(root: Client, held_blocks: ChainNode) -> None:
    row = stuck_transaction(held_blocks)
    root.post(f"{PAGE}cancel/{row.pk}/")
    held_blocks.mine()
    held_blocks.relay()
    held_blocks.settle()
    assert Act.objects.get().state == ActState.CONFIRMED
    assert Act.objects.get().transaction_id != row.pk
    assert "An empty transfer was sent in its place." in logged()[0][1]


def test_what_cannot_be_done_says_why_and_is_logged(root: Client, chain: ChainNode) -> None:
    chain.new_record(fresh_person())
    chain.settle()
    row = Transaction.objects.get()
    answer = root.post(f"{PAGE}bump/{row.pk}/", follow=True).content.decode()
    assert "Offer more now: this did not go through. The transaction is not under way any more." in answer
    assert row.attempts.count() == 1
    assert logged() == [(str(row), "Offer more now: refused. The transaction is not under way any more.")]


def test_an_alarm_stands_with_its_key_and_its_transaction(root: Client, held_blocks: ChainNode) -> None:
    row = stuck_transaction(held_blocks)
    Transaction.objects.filter(pk=row.pk).update(alarm="The ceiling is reached.")
    seen = overview()
    assert seen.senders[0].alarm == "The ceiling is reached."
    assert (seen.stuck_count, seen.senders[0].pending, seen.senders[0].first_pending) == (1, 1, row.nonce)
    assert said(root).count("The ceiling is reached.") == 2


def test_the_chain_is_read_again_from_a_block(root: Client, chain: ChainNode) -> None:
    patient: Person = fresh_person()
    act = chain.new_record(patient)
    chain.settle()
    event = Act.objects.get(pk=act.pk).event
    assert event is not None
    block = event.block_number
    page = root.get(f"{PAGE}read-again/", {"block": block}).content.decode()
    assert "with 1 event are forgotten" in page
    assert Cursor.objects.get().applied >= block
    answer = root.post(f"{PAGE}read-again/", {"block": block}, follow=True).content.decode()
    assert f"The chain is read again from block {block}" in answer
    assert Cursor.objects.get().applied < block
    assert state_of(act) == "waiting"
    chain.sync()
    assert state_of(act) == "confirmed"
    assert logged()[0][1] == f"The chain is read again from block {block}."


@pytest.mark.parametrize("block", ["", "0", "-1", "x", "99999999999"])
def test_a_block_that_was_not_read_is_refused(root: Client, block: str) -> None:
    before = Cursor.objects.get()
    for answer in (
        root.get(f"{PAGE}read-again/", {"block": block}, follow=True),
        root.post(f"{PAGE}read-again/", {"block": block}, follow=True),
    ):
        assert "Not read again:" in answer.content.decode()
    after = Cursor.objects.get()
    assert (after.seen, after.applied) == (before.seen, before.applied)
    assert logged() == []


def test_without_a_node_the_page_opens_and_acts_say_so(
    root: Client, held_blocks: ChainNode, settings: Settings
) -> None:
    row = stuck_transaction(held_blocks)
    there = settings.CHAIN_RPC_URL
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    assert "does not answer" in said(root)
    for path in (f"bump/{row.pk}/", f"cancel/{row.pk}/"):
        answer = root.post(PAGE + path, follow=True).content.decode()
        assert "did not go through. The chain&#x27;s node does not answer" in answer
    answer = root.post(f"{PAGE}read-again/", {"block": 1}, follow=True).content.decode()
    assert "did not go through. The chain&#x27;s node does not answer" in answer
    settings.CHAIN_RPC_URL = there
