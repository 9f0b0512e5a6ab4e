"""The whole portal with clocks that differ and step: all goes on within a minute, without a restart."""

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.faketime.clocks import Clocks
from tests.story.plain import Api, PlainVisitor
from tests.story.portal import StoryPortal, wait_for

pytestmark = pytest.mark.slow

LETTER = {"title": "Letter", "kind": "11488-4", "file_name": "letter.txt"}
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = timedelta()
HEALED = 60.0  # seconds


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Clocks:
    return Clocks(tmp_path_factory.mktemp("clocks"))


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, clocks: Clocks) -> Iterator[StoryPortal]:
    made = StoryPortal(tmp_path_factory.mktemp("portal"))
    made.settings |= clocks.settings()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def patient(portal: StoryPortal) -> Api:
    visitor = PlainVisitor(portal.url, portal.mailbox, "Asha Verma", "asha@example.org")
    visitor.register()
    return visitor.make_token(days=30)


def is_ready(portal: StoryPortal) -> bool:
    try:
        with urllib.request.urlopen(f"{portal.url}/readyz", timeout=30) as answer:
            return bool(answer.status == 200)
    except (urllib.error.HTTPError, OSError):
        return False


def goes_on(portal: StoryPortal, patient: Api, content: bytes) -> None:
    """Check that a new act is confirmed, and that the portal says that it is well."""
    record = patient.upload(content, **LETTER)

    def is_confirmed() -> bool:
        return bool(patient.get(f"records/{record}").json().get("state") == "confirmed")

    wait_for(is_confirmed, "the record to be confirmed", HEALED)
    wait_for(lambda: is_ready(portal), "/readyz to be good", HEALED)


@pytest.mark.parametrize(
    ("web", "worker", "beat"),
    [(NOW, MINUTE, -MINUTE), (MINUTE, NOW, -MINUTE), (-MINUTE, MINUTE, NOW), (NOW, -MINUTE, MINUTE)],
)
def test_any_two_programs_may_differ_by_a_minute(
    portal: StoryPortal,
    patient: Api,
    clocks: Clocks,
    web: timedelta,
    worker: timedelta,
    beat: timedelta,
) -> None:
    clocks.set(web=web, worker=worker, beat=beat, chain=NOW)
    goes_on(portal, patient, f"{web} {worker} {beat}".encode())


def test_any_clock_may_step_and_nothing_is_restarted(
    portal: StoryPortal, patient: Api, clocks: Clocks
) -> None:
    clocks.step(NOW)
    programs = portal.portal.children()
    for number, offset in enumerate((-HOUR, NOW, DAY, NOW)):
        clocks.set(worker=offset, beat=offset)
        goes_on(portal, patient, f"worker and beat {number}".encode())
        clocks.step(offset)
        goes_on(portal, patient, f"all {number}".encode())
    assert portal.portal.children() == programs


def test_the_chains_clock_may_be_ten_minutes_off(portal: StoryPortal, patient: Api, clocks: Clocks) -> None:
    for offset in (10 * MINUTE, -10 * MINUTE):
        clocks.step(NOW)
        clocks.set(chain=offset)
        goes_on(portal, patient, f"chain {offset}".encode())


def test_beat_may_be_killed_and_the_portal_is_ready_within_half_a_minute(
    portal: StoryPortal, patient: Api, clocks: Clocks
) -> None:
    clocks.step(NOW)
    (beat,) = portal.pids("-A medrec beat")
    os.kill(beat, signal.SIGKILL)
    wait_for(lambda: beat not in portal.portal.children(), "beat to be gone")
    goes_on(portal, patient, b"beat was killed")
    # Had the new one asked for nothing, the worker would be called quiet by now.
    (fresh,) = portal.pids("-A medrec beat")
    assert fresh != beat
    assert not bad_moments(portal)


def bad_moments(portal: StoryPortal, seconds: float = 32.0) -> list[float]:
    """The moments at which the portal was not ready."""
    began, bad = time.monotonic(), []
    while (passed := time.monotonic() - began) < seconds:
        if not is_ready(portal):
            bad.append(passed)
        time.sleep(1)
    return bad
