"""Projections: a run is the same as one by one, and twice the same as once."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from chain.acts.messages import ZERO_ADDRESS, PreparedAct, record_id
from chain.contract.abi import ACT_OF_EVENT, act_types, event_types
from chain.models import Event
from chain.registry import announce_events, reset_projections, runs_of
from records.models import Record
from tests.faults.judge import PROJECTIONS, dump

pytestmark = pytest.mark.django_db

PEOPLE = [f"0x{number:040x}" for number in range(1, 5)]
NONCES = [f"0x{number:064x}" for number in range(1, 4)]
_FEW = {"version": 4, "serial": 5, "generation": 3, "folder": 3, "epoch": 3, "toEpoch": 4, "reason": 3}


class History:
    """Events without end, of few people and few serials: slots meet, serials fall back and come twice."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._keys: dict[str, int] = defaultdict(int)
        self._members = {event.name: dict(event.indexed + event.data) for event in event_types().values()}

    def events(self, count: int) -> list[Event]:
        """In order. First the records, then the same name often follows itself."""
        found = [self._event("RecordAdded", place, nonce) for place, nonce in enumerate(NONCES)]
        names, name = sorted(ACT_OF_EVENT), "RecordAdded"
        for place in range(len(NONCES), count):
            if self._random.random() < 0.3:
                name = self._random.choice(names)
            found.append(self._event(name, place))
        return found

    def _event(self, name: str, place: int, nonce: str = "") -> Event:
        args = {field: self._value(field, solidity) for field, solidity in self._members[name].items()}
        if name in ("RecordAdded", "RecordModified", "RecordClosed"):
            # Only records that there are: each belongs to one author.
            args["author"], args["nonce"] = PEOPLE[0], nonce or self._random.choice(NONCES)
            args["record"] = record_id(args["author"], args["nonce"])
        if name in ("KeyPublished", "KeysReplaced"):  # the contract takes each version once, growing
            self._keys[args["author"]] += self._random.randint(1, 3)
            args["version"] = self._keys[args["author"]]
        kind = ACT_OF_EVENT[name]
        act = PreparedAct(kind, {field: args[field] for field, _ in act_types()[kind].members})
        slot, number = act.slot
        return Event(
            name=name,
            args=args,
            author=act.author,
            subject=act.subject,
            slot=slot,
            number=number,
            block_number=place,
            block_time=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=place),
            tx_hash=f"0x{place:064x}",
            act_digest=f"0x{place:064x}",
        )

    def _value(self, field: str, solidity: str) -> Any:
        if solidity == "address":
            return self._random.choice([*PEOPLE, ZERO_ADDRESS] if field == "via" else PEOPLE)
        if solidity == "bool":
            return self._random.random() < 0.5
        if solidity == "bytes32":
            return (
                self._random.choice(NONCES) if field == "scope" else f"0x{self._random.getrandbits(256):064x}"
            )
        if solidity == "bytes":
            return "0x" + self._random.randbytes(40).hex()
        return self._random.randint(1, _FEW.get(field, 200))


def one_by_one(events: list[Event]) -> Iterable[list[Event]]:
    """Runs of one."""
    return ([event] for event in events)


def told(events: list[Event], cut: Callable[[list[Event]], Iterable[list[Event]]]) -> dict[str, list[str]]:
    """The projections after these events, and nothing before."""
    reset_projections()
    return tell(events, cut)


def tell(events: list[Event], cut: Callable[[list[Event]], Iterable[list[Event]]]) -> dict[str, list[str]]:
    """The projections after these events too."""
    for run in cut(events):
        announce_events(run, again=True)
    return dump()


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_run_leaves_what_one_by_one_leaves_and_twice_is_once(seed: int) -> None:
    events = History(seed).events(400)
    single = told(events, one_by_one)
    assert all(single[model._meta.label] for model in PROJECTIONS if model is not Event)
    in_runs = told(events, runs_of)
    assert in_runs == single
    assert tell(events, runs_of) == single
    assert tell(events, one_by_one) == single
    assert Record.objects.filter(version__gt=1).exists()
