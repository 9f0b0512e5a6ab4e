"""Whether a projection is what the contract's getters say; here, who signs for whom."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from eth_utils.address import to_checksum_address

from chain.contract.slots import ZERO_ADDRESS
from chain.models import Event, SignerState
from chain.reconcile.run import Check, Finding, RunOptions, applied_block, row_chunks, view_many

Row = TypeVar("Row", bound=Model)
Values = tuple[Any, ...]
RESYNC = (
    "`manage.py resync --from-archive` makes the projections anew; where C101 differs, without the option."
)


@dataclass(frozen=True)
class Getter(Generic[Row]):
    """A getter of the contract, and the rows of a projection that must say the same.

    `ask` gives the getter's arguments for a row, `expect` for some rows what it must return, put in order by
    `read`; where that is shorter than the answer, the answer's beginning counts. Each event of these names
    makes the row whose `key` columns are what `key_of` tells.
    """

    name: str
    rows: "QuerySet[Row]"
    ask: Callable[[Row], Values]
    expect: Callable[[list[Row]], Iterable[Values]]
    events: tuple[str, ...]
    key: tuple[str, ...]
    key_of: Callable[[Event], Values]
    read: Callable[[Values], Values] = tuple

    def compare(self, options: RunOptions) -> Iterator[Finding]:
        """Yield rows that the contract contradicts, and events that left no row."""
        for rows in row_chunks(self.rows.all(), options):
            answers = view_many(self.name, map(self.ask, rows), applied_block())
            for row, expected, answer in zip(rows, self.expect(rows), answers, strict=True):
                actual = plain(self.read(answer)[: len(expected)])
                if actual != expected:
                    what = f"the row has {_few(expected, actual)}, the contract {_few(actual, expected)}"
                    yield Finding(f"{row._meta.verbose_name} {row.pk}", what)
        for events in row_chunks(Event.objects.applied().named(*self.events), options):
            first = {f"{self.key[0]}__in": {self.key_of(event)[0] for event in events}}
            known = set(self.rows.filter(**first).values_list(*self.key))
            for event in events:
                if self.key_of(event) not in known:
                    yield Finding(f"event {event.pk}", f"{event.name} has left no row")


def plain(answer: Values) -> Values:
    """Return a getter's answer as rows have it: checksummed addresses, 0x-hex."""
    return tuple(_plain(value) for value in answer)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str):
        return str(to_checksum_address(value))
    return value


def _few(values: Values, others: Values) -> str:
    """Only what differs. Addresses are left out: they say who is whose patient."""
    differing = [
        "another address" if isinstance(value, str) and len(value) == len(ZERO_ADDRESS) else str(value)
        for value, other in zip(values, others, strict=True)
        if value != other
    ]
    return ", ".join(differing)


def _signers(states: list[SignerState]) -> Iterator[Values]:
    for state in states:
        yield state.signer, state.generation


def _recoveries(states: list[SignerState]) -> Iterator[Values]:
    for state in states:
        yield (state.recovery or ZERO_ADDRESS,)


def _account(state: SignerState) -> Values:
    return (state.account,)


def _author(event: Event) -> Values:
    return (event.author,)


_STATES, _KEY = SignerState.objects.all(), ("account",)
SIGNERS = Getter("signerOf", _STATES, _account, _signers, ("KeysReplaced",), _KEY, _author)
RECOVERIES = Getter("recoveryOf", _STATES, _account, _recoveries, ("RecoveryNamed",), _KEY, _author)

CHECKS = (
    Check("C401", "who signs for an account is not what the contract says", SIGNERS.compare, RESYNC),
    Check("C402", "an account's recovery address is not what the contract says", RECOVERIES.compare, RESYNC),
)
