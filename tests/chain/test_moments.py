"""Moments of another clock: what one that was wrong put off or claimed holds nobody up for long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Errand
from chain.models import Act, ActState
from chain.models.acts import LONGEST_PAUSE
from chain.relayer.batches import next_batch
from chain.relayer.sender import _wait_left
from chain.support.moments import SKEW, has_passed, is_past
from chain.support.shared_clock import SharedNow
from tests.chain_node import ChainNode, fresh_person, state_of

pytestmark = pytest.mark.django_db

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
STEPS = [-HOUR, -MINUTE, MINUTE, DAY]


def stepped(step: timedelta) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + step


@pytest.mark.parametrize(
    ("moment", "past"),
    [
        (-MINUTE, True),
        (timedelta(seconds=-5), False),
        (LONGEST_PAUSE, False),
        (LONGEST_PAUSE + SKEW + MINUTE, True),
        (DAY, True),
    ],
)
def test_a_moment_further_ahead_than_any_is_set_is_past(moment: timedelta, past: bool) -> None:
    account = fresh_person().address
    Errand.objects.create(account=account, kind="test", tried_at=timezone.now() + moment)
    found = Errand.objects.filter(is_past("tried_at", timedelta(seconds=10), horizon=LONGEST_PAUSE))
    assert found.filter(account=account).exists() == past
    Errand.objects.filter(account=account).update(tried_at=None)
    assert Errand.objects.filter(is_past("tried_at"), account=account).exists()


def test_what_lies_ahead_has_passed() -> None:
    now = timezone.now()
    assert has_passed(None, MINUTE)
    assert has_passed(now + HOUR, MINUTE)
    assert has_passed(now - HOUR, MINUTE)
    assert not has_passed(now - timedelta(seconds=1), MINUTE)


@pytest.mark.parametrize("step", STEPS)
def test_acts_are_sent_whatever_the_clock_that_accepted_them_said(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch, settings: Settings, step: timedelta
) -> None:
    settings.CHAIN_BATCH_WAIT = 0.25
    act = chain.new_record(fresh_person())
    Act.objects.update(created_at=timezone.now() + step)
    (batch, _) = next_batch()
    assert _wait_left(batch) <= 0
    with monkeypatch.context() as other:
        other.setattr("django.utils.timezone.now", stepped(-step))
        chain.relay()
    assert Act.objects.exclude(transaction=None).exists()
    chain.mine(2)
    chain.sync()
    assert state_of(act) == ActState.CONFIRMED


@pytest.mark.parametrize("step", [HOUR, DAY])
def test_an_act_that_was_put_off_by_a_clock_ahead_is_due(chain: ChainNode, step: timedelta) -> None:
    act = chain.new_record(fresh_person())
    Act.objects.update(retry_tick=SharedNow(LONGEST_PAUSE))
    assert not Act.objects.due().exists()
    Act.objects.update(retry_tick=SharedNow(step))
    assert Act.objects.due().exists()
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED
