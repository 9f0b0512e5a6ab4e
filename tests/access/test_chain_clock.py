"""The portal's clock and the chain's may differ by ten minutes: a grant holds only while both say so."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.actor import Actor
from chain.models import Act, Cursor
from chain.node import client
from chain.status.freshness import chain_times, last_reading
from chain.support.shared_clock import SharedNow
from records import access
from records.models import Grant
from tests.chain_node import ChainNode, state_of
from tests.records.conftest import Clinic, grant, upload

pytestmark = pytest.mark.django_db

TEN = timedelta(minutes=10)


def differ(by: timedelta) -> None:
    """As if the chain's clock, and its newest block, were ahead of this portal's by so much."""
    Cursor.objects.update(head_time=timezone.now() + by, head_tick=SharedNow(), read_tick=SharedNow())


def agree(clinic: Clinic, record: str) -> tuple[bool, bool]:
    """Return whether the doctor may read, and whether the doctor may write."""
    doctor = clinic.doctor
    return access.can_read(doctor, record), access.can_write(doctor, record)


@pytest.fixture
def record(chain: ChainNode, patient: Actor, clinic: Clinic) -> str:
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    return record


def give(start: timedelta, end: timedelta) -> None:
    now = timezone.now()
    Grant.objects.update(not_before=now + start, expiry=now + end)


@pytest.mark.parametrize(
    ("ahead", "start", "end", "reads", "writes"),
    [
        (timedelta(), -TEN, TEN, True, True),
        (TEN, -TEN, 2 * TEN, True, True),
        (TEN, -TEN, TEN - timedelta(minutes=1), False, False),  # over on the chain
        (-TEN, -TEN + timedelta(minutes=1), TEN, False, False),  # not begun there
        (-TEN, -2 * TEN, TEN, True, True),
        (-TEN, -2 * TEN, timedelta(seconds=-1), False, False),  # over here
        (TEN, timedelta(minutes=1), 3 * TEN, False, False),  # not begun here
        (timedelta(), -TEN, timedelta(seconds=30), True, False),  # too late for what is accepted now
    ],
)
def test_a_grant_holds_only_while_both_clocks_say_so(
    clinic: Clinic,
    record: str,
    ahead: timedelta,
    start: timedelta,
    end: timedelta,
    reads: bool,
    writes: bool,
) -> None:
    give(start, end)
    differ(ahead)
    assert agree(clinic, record) == (reads, writes)


def test_a_grant_given_while_the_chain_is_behind_holds_there_and_what_is_written_is_confirmed(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """The portal is ten minutes ahead of the chain that it writes to."""
    own = upload(patient).record
    chain.settle()
    differ(-TEN)
    (act,) = grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    assert act.fields["notBefore"] <= (timezone.now() - TEN).timestamp()
    chain.settle()
    assert state_of(act) == "confirmed"
    assert agree(clinic, own) == (True, True)
    view = upload(clinic.doctor, patient=patient.address, via=clinic.via, folder=1)
    chain.settle()
    assert state_of(Act.objects.of_kind("NewRecord").get(fields__nonce=nonce_of(view.record))) == "confirmed"


def nonce_of(record: str) -> str:
    """The nonce of the act that made a record."""
    (nonce,) = [act.fields["nonce"] for act in Act.objects.of_kind("NewRecord") if act.slot.endswith(record)]
    return str(nonce)


def test_the_chains_time_is_gone_on_with_while_no_block_comes(chain: ChainNode) -> None:
    chain.mine()
    chain.sync()
    chain.mine()
    chain.sync()
    head = client.head()
    reading = last_reading()
    assert reading.head_time == head.time
    assert reading.head_seen is not None
    Cursor.objects.update(head_tick=SharedNow(-TEN))
    times = chain_times()
    assert abs(times.latest - (head.time + TEN)) < timedelta(seconds=30)
    assert abs(times.earliest - timezone.now()) < timedelta(seconds=30)


def test_of_a_chain_that_was_not_watched_no_time_is_guessed(chain: ChainNode) -> None:
    """The newest block may be an hour old: that says nothing of the chain's clock."""
    chain.mine()
    chain.sync()
    Cursor.objects.update(read_tick=SharedNow(-timedelta(minutes=5)), head=0)
    chain.mine()
    chain.sync()
    assert Cursor.objects.get().head_tick is None
    times = chain_times()
    assert times.earliest == times.latest
    chain.mine()
    chain.sync()
    assert Cursor.objects.get().head_tick is not None
    Cursor.objects.update(head_tick=SharedNow(timedelta(hours=1)))  # the shared clock stepped back
    times = chain_times()
    assert times.earliest == times.latest
