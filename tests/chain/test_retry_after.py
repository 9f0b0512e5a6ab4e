"""A node that says when to come again is left alone until then."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from chain.errors import ChainUnavailable
from chain.node import identity, rpc
from chain.support.retry_after import LONGEST, seconds_of
from tests.retry_after import BusyServer, serve_busy

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def node(settings: Any) -> Iterator[BusyServer]:
    """A node on block 0x10, with one transaction anywhere."""

    def answer(body: bytes) -> Any:
        asked = json.loads(body)
        each = [{"jsonrpc": "2.0", "id": call["id"], "result": "0x10"} for call in listed(asked)]
        return each if isinstance(asked, list) else each[0]

    with serve_busy(answer) as server:
        settings.CHAIN_RPC_URL = server.url
        yield server


def listed(asked: Any) -> list[Any]:
    return asked if isinstance(asked, list) else [asked]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "ask", [identity.chain_id, lambda: rpc.batch([("eth_chainId", []), ("eth_chainId", [])])]
)
def test_nothing_is_asked_until_the_time_is_over(
    node: BusyServer, status: int, ask: Callable[[], object]
) -> None:
    assert identity.chain_id() == 16
    node.refuse(status, "1")
    began, asked = time.monotonic(), node.asked
    for _ in range(20):
        with pytest.raises(ChainUnavailable):
            ask()
    # On a machine that is slow enough the time was over in between.
    assert node.asked - asked <= 1 + (time.monotonic() - began) // 1
    node.status = 200
    time.sleep(1.1)
    assert identity.chain_id() == 16


def test_a_refusal_without_a_time_is_no_pause(node: BusyServer) -> None:
    node.refuse(429, "")
    for _ in range(3):
        with pytest.raises(ChainUnavailable):
            identity.chain_id()
    assert node.asked == 3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 4000, LONGEST),
        (format_datetime(NOW + timedelta(seconds=45), usegmt=True), 45),
        (format_datetime(NOW - timedelta(seconds=45), usegmt=True), 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("\u0665", 0),
    ],
)
def test_seconds_and_dates_are_read_and_nonsense_is_none(header: str, seconds: float) -> None:
    assert abs(seconds_of(header, format_datetime(NOW, usegmt=True)) - seconds) <= 1


def test_a_date_is_compared_with_the_servers_own_clock() -> None:
    server = NOW - timedelta(hours=3)
    then = format_datetime(server + timedelta(seconds=20), usegmt=True)
    assert seconds_of(then, format_datetime(server, usegmt=True)) == 20
