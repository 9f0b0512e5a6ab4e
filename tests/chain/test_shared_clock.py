"""The shared clock: no program's own time touches it, and nothing from the future holds anybody up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db.models import F

from chain.models import Sender
from chain.relayer.lease import LeaseLost, hold
from chain.support import shared_clock
from chain.support.shared_clock import SharedNow, ended, shared_now, ticks
from tests.chain_node import fresh_person

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def sender() -> Sender:
    return Sender.objects.create(address=fresh_person().address)


def stepped_clock(step: timedelta) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + step


@pytest.mark.parametrize("step", [-HOUR, timedelta(seconds=-60), timedelta(seconds=60), DAY])
def test_a_lease_is_held_and_ends_whatever_a_programs_own_clock_says(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    with hold(sender) as mine, monkeypatch.context() as stepped:
        assert mine is not None
        stepped.setattr("django.utils.timezone.now", stepped_clock(step))
        with hold(sender) as theirs:
            assert theirs is None
    with monkeypatch.context() as stepped:
        stepped.setattr("django.utils.timezone.now", stepped_clock(step))
        with hold(sender) as earlier:
            assert earlier is not None
    with hold(sender) as again:
        assert again is not None


@pytest.mark.parametrize("ahead", [HOUR, DAY, 100_000 * DAY])
def test_a_lease_further_ahead_than_its_term_is_free(sender: Sender, ahead: timedelta) -> None:
    Sender.objects.update(lease="of a clock that is gone", lease_tick=shared_now() + ticks(ahead))
    with hold(sender) as mine:
        assert mine is not None
        with hold(sender) as theirs:
            assert theirs is None


@pytest.mark.parametrize("waited", [timedelta(seconds=1), timedelta(seconds=15)])
def test_a_lease_taken_while_this_process_waited_for_the_lock_is_held(
    sender: Sender, waited: timedelta
) -> None:
    """SQLite's clock is read before it waits for its lock, so a lease may end later than a term from then."""
    full_term = ticks(timedelta(seconds=20))
    Sender.objects.update(lease="somebody's", lease_tick=shared_now() + ticks(waited) + full_term)
    with hold(sender) as mine:
        assert mine is None


def test_a_lease_that_ran_out_is_free_and_its_holder_learns_of_it(sender: Sender) -> None:
    with hold(sender) as slow:
        assert slow is not None
        Sender.objects.update(lease_tick=SharedNow())
        with hold(sender) as mine:
            assert mine is not None
            with pytest.raises(LeaseLost):
                slow.renew()
            assert mine.sender == sender


def test_sql_and_python_read_one_clock(sender: Sender) -> None:
    before = shared_now()
    Sender.objects.update(lease_tick=SharedNow())
    sender.refresh_from_db()
    assert sender.lease_tick is not None
    assert before <= sender.lease_tick <= shared_now()
    shifted = Sender.objects.annotate(later=SharedNow(HOUR) - F("lease_tick")).get()
    assert 0 <= shifted.later - ticks(HOUR) < ticks(HOUR)
    assert Sender.objects.filter(ended("lease_tick", HOUR)).exists()


def test_each_start_of_the_machine_has_ticks_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = set()
    for boot in ("first", "second", "third"):
        (tmp_path / boot).write_text(boot)
        monkeypatch.setattr(shared_clock, "_BOOT_ID", tmp_path / boot)
        shared_clock._boot.cache_clear()
        seen.add(shared_clock.machine_tick() // shared_clock._BOOT_TICKS)
    shared_clock._boot.cache_clear()
    assert len(seen) == 3
    assert 0 <= max(seen) * shared_clock._BOOT_TICKS < 2**63
