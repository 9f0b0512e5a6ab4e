"""The banner while the chain takes nothing says what it means for people, and no operator's detail."""

from datetime import timedelta

import pytest

from chain.models import Cursor, Sender
from chain.support.shared_clock import shared_now, ticks
from tests.records.web.conftest import Visitor

RELAYER = "0x1111111111111111111111111111111111111111"
REASON = f"The relayer {RELAYER} has too little money for gas."
PAUSED = "Nothing is sent to be confirmed just now. What you do is kept"
AWAY = "Nothing can be confirmed just now."


@pytest.fixture
def home(patient: Visitor) -> Visitor:
    """A patient's browser, with a chain that was heard a moment ago."""
    Cursor.objects.update(heard_tick=shared_now(), error="")
    return patient


def read(visitor: Visitor) -> str:
    return visitor.client.get("/").content.decode()


def test_nothing_is_said_while_acts_are_sent(home: Visitor) -> None:
    page = read(home)
    assert PAUSED not in page
    assert AWAY not in page


def test_a_pause_is_said_without_its_operators_reason(home: Visitor) -> None:
    assert Sender.objects.update(paused_reason=REASON) == 1
    page = read(home)
    assert PAUSED in page
    assert "A revoke already holds" in page
    assert RELAYER not in page
    assert "money" not in page


def test_a_pause_of_one_key_is_not_said_while_another_sends(home: Visitor) -> None:
    Sender.objects.update(paused_reason=REASON)
    Sender.objects.create(address=RELAYER, lease_tick=shared_now())
    assert PAUSED not in read(home)
    Sender.objects.filter(address=RELAYER).update(lease_tick=shared_now() - ticks(timedelta(hours=1)))
    assert PAUSED in read(home)


def test_a_chain_that_is_away_is_said(home: Visitor) -> None:
    Cursor.objects.update(error="http://node.internal:8545 does not answer")
    page = read(home)
    assert AWAY in page
    assert "node.internal" not in page
