"""The admin's operations page: who sees it, and what it shows."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from chain.indexer import run
from chain.models import Act, ActState, Attempt, Cursor, Sender, Transaction
from chain.status.overview import days_left, overview
from chain.support.shared_clock import SharedNow, shared_now, ticks
from chain.templatetags import operations as words
from tests.chain.operators import PAGE, chain_head, said, signed_in, stuck_transaction
from tests.chain_node import ChainNode, fresh_person

SECOND_KEY = "0x" + "11" * 32


@pytest.mark.django_db
def test_the_page_is_for_staff_who_may_see_relayer_keys() -> None:
    assert Client().get(PAGE)["Location"].startswith("/admin/login/")
    assert signed_in("view_sender", staff=False).get(PAGE, follow=True).status_code == 403
    assert signed_in("view_act").get(PAGE).status_code == 403
    assert signed_in("view_sender").get(PAGE).status_code == 200


@pytest.mark.django_db
def test_it_is_in_the_index_for_those_alone() -> None:
    link = f'href="{PAGE}"'
    may = signed_in("view_sender", "view_act")
    assert link in may.get("/admin/").content.decode()
    assert link in may.get("/admin/chain/").content.decode()
    other = signed_in("view_act")
    assert link not in other.get("/admin/").content.decode()
    assert "/admin/chain/act/" in other.get("/admin/").content.decode()


ACTS = [
    ("pause", "change_sender"),
    ("resume", "change_sender"),
    ("bump", "change_transaction"),
    ("cancel", "change_transaction"),
]


@pytest.mark.parametrize(("name", "permission"), ACTS)
def test_who_only_looks_cannot_act(held_blocks: ChainNode, name: str, permission: str) -> None:
    row = stuck_transaction(held_blocks)
    target = row.sender if permission == "change_sender" else row
    path = f"{PAGE}{name}/{target.pk}/"
    attempts = Attempt.objects.count()
    for client in (
        signed_in("view_sender"),
        signed_in(permission),
        signed_in("change_cursor", "view_sender"),
    ):
        assert client.get(path).status_code == 403
        assert client.post(path).status_code == 403
    assert Client().post(path)["Location"].startswith("/admin/login/")
    assert Attempt.objects.count() == attempts
    assert not Sender.objects.filter(held=True).exists()
    allowed = signed_in("view_sender", permission)
    assert allowed.get(path).status_code == 200
    assert f"{PAGE}{name}/" in said(allowed) or name == "resume"


@pytest.mark.usefixtures("chain")
def test_reading_again_needs_its_permission() -> None:
    path = f"{PAGE}read-again/"
    assert signed_in("view_sender").post(path, {"block": 1}).status_code == 403
    assert f'action="{path}"' not in said(signed_in("view_sender"))
    allowed = signed_in("view_sender", "change_cursor")
    assert f'action="{path}"' in said(allowed)
    assert allowed.get(path, {"block": chain_head()}).status_code == 200


def test_nothing_happens_by_opening_a_confirmation_or_without_its_token(
    root: Client, chain: ChainNode
) -> None:
    chain.new_record(fresh_person())
    chain.relay()
    sender = Sender.objects.get()
    path = f"{PAGE}pause/{sender.pk}/"
    page = root.get(path).content.decode()
    assert sender.address in page
    assert "nothing is lost" in page
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = root.cookies
    assert careful.post(path).status_code == 403
    assert not Sender.objects.get().held
    assert root.post(f"{PAGE}delete/{sender.pk}/").status_code == 404
    assert root.post(f"{PAGE}pause/999999/").status_code == 404


@pytest.mark.django_db
def test_an_empty_portal_is_shown_as_one() -> None:
    page = said(signed_in("view_sender"))
    assert "No relayer key has run yet" in page
    assert "nothing waits" in page
    assert "never heard" in page


def test_the_queue_is_told_by_kind_and_stage(held_blocks: ChainNode) -> None:
    chain = held_blocks
    chain.new_record(fresh_person())
    chain.relay()
    chain.new_record(fresh_person())
    later = chain.new_record(fresh_person())
    Act.objects.filter(pk=later.pk).update(retry_tick=SharedNow(timedelta(minutes=4)))
    (row,) = overview().queue
    assert (row.kind, row.queued, row.put_off, row.sent, row.seen) == ("NewRecord", 1, 1, 1, 0)
    chain.mine()
    chain.sync()
    seen = overview()
    assert (seen.queue[0].sent, seen.queue[0].seen) == (0, 1)
    assert seen.waiting == 3
    assert seen.oldest_waiting == Act.objects.order_by("created_at").first()
    assert seen.oldest_age > 0


def test_acts_that_ended_badly_are_shown_with_their_reason(root: Client, chain: ChainNode) -> None:
    old, new = chain.new_record(fresh_person()), chain.new_record(fresh_person())
    reason = "The folder has moved on to epoch 4. <b>" + "A long reason. " * 40
    for act, age in ((old, timedelta(days=2)), (new, timedelta(hours=1))):
        ended = {"state": ActState.FAILED, "error": reason, "settled_at": timezone.now() - age}
        Act.objects.filter(pk=act.pk).update(**ended)
    seen = overview()
    assert [act.pk for act in seen.ended] == [new.pk]
    assert (seen.failed_count, seen.returned_count) == (1, 0)
    page = said(root)
    assert "epoch 4. &lt;b&gt;A long reason." in page
    assert new.author not in page


def test_a_pause_says_its_reason_and_since_when(root: Client, chain: ChainNode, settings: Settings) -> None:
    chain.new_record(fresh_person())
    settings.CHAIN_RELAYER_KEYS = [SECOND_KEY]  # without money
    chain.relay()
    page = said(root)
    assert "too little money for gas" in page
    assert "Paused since" in page
    assert not overview().sending


def test_the_seconds_behind_begin_with_the_first_block_not_read(chain: ChainNode) -> None:
    chain.new_record(fresh_person())
    chain.settle()
    assert overview().lag.blocks == 0
    assert overview().lag.seconds == 0
    cursor = Cursor.objects.get()
    now = shared_now()
    Cursor.objects.update(head=cursor.applied + 100, read_tick=now - 500_000)
    lag = overview().lag
    assert lag.blocks == 99
    assert 499 < lag.seconds < 600
    Cursor.objects.update(head=cursor.head, read_tick=now - 900_000)
    lag = overview().lag
    assert lag.blocks == 0
    assert 899 < lag.seconds < 1000


def test_on_a_long_way_the_lag_is_told_as_it_shrinks(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.mine(20)
    Cursor.objects.update(range=4, heard_tick=shared_now() - ticks(timedelta(hours=1)))
    apply, told = run._apply, []

    def apply_and_look(*given: Any) -> None:
        told.append(overview().lag)
        apply(*given)

    monkeypatch.setattr(run, "_apply", apply_and_look)
    chain.sync()
    assert len(told) > 1
    assert {lag.head for lag in told} == {chain_head()}
    assert told[0].blocks > told[-1].blocks > 0
    assert not [lag for lag in told if lag.silent]


@pytest.mark.django_db
def test_days_left_are_reckoned_from_last_weeks_fees() -> None:
    now = timezone.now()
    sender = Sender.objects.create(address=fresh_person().address, balance=700)
    assert days_left(sender, now) is None

    def spend(nonce: int, days: int, fee: int | None) -> None:
        created = now - timedelta(days=days)
        Transaction.objects.create(
            sender=sender, nonce=nonce, act_count=1, fee_paid=fee, created_at=created, state="mined"
        )

    spend(0, 30, 10**9)  # too long ago to tell
    spend(1, 6, None)
    assert days_left(sender, now) is None
    spend(2, 5, 300)
    spend(3, 1, 50)
    assert days_left(sender, now) == pytest.approx(10, rel=0.01)
    sender.balance = None
    assert days_left(sender, now) is None


@pytest.mark.django_db
def test_a_key_that_the_relayer_no_longer_runs_with_is_silent() -> None:
    ago = shared_now() - ticks(timedelta(minutes=5))
    Sender.objects.create(address=fresh_person().address, lease_tick=ago)
    assert overview().senders[0].silent
    assert "Silent since" in said(signed_in("view_sender"))
    Sender.objects.update(lease_tick=shared_now())
    assert not overview().senders[0].silent


def test_only_what_changes_is_asked_for_again(root: Client) -> None:
    part = root.get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert "Measured at" in part
    assert "<html" not in part


def test_times_and_money_are_written_for_people() -> None:
    assert [words.duration(s) for s in (0.4, 119, 600, 7500, 200_000)] == [
        "0 s",
        "119 s",
        "10 min",
        "2 h 5 min",
        "2 days",
    ]
    assert [words.days(d) for d in (0.001, 0.05, 0.5, 3.14, 40.4, 9999)] == [
        "minutes",
        "about an hour",
        "12 hours",
        "3.1 days",
        "40 days",
        "more than a year",
    ]
    assert words.ether(None) == "not read yet"
    assert [words.ether(w) for w in (0, 10**15, 10**21)] == [
        "0.000000 ether",
        "0.001000 ether",
        "1,000.00 ether",
    ]
