"""Reconciling: named checks that compare what must agree, their findings, and repairs.

Indexer and relayer go on meanwhile. So a check reads a row and then asks the chain at the block that the
handlers have had, and what differs is looked at a second time: only what differs both times is a finding.
"""

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from chain.contract.abi import decode_result, encode_call
from chain.errors import ChainUnavailable
from chain.models import AcknowledgedFinding, Cursor
from chain.node import rpc
from chain.node.deployment import deployment

log = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Model)
T = TypeVar("T")
Repair = Callable[[], str]

CHUNK = 200
"""Rows looked at, and calls made in one request, at a time."""


def _ignore(count: int) -> None:
    del count


@dataclass(frozen=True)
class Finding:
    """A difference. `subject` tells it from others of its check: a row, an id or a CID, never a name.

    `repair` does what mends it, in transactions of its own, and says what it did, "" if it could not. A
    `note` is worth knowing and no difference. `foreign` is a record or grant that another portal or wallet
    made: its author may never have put its bytes anywhere. An operator acknowledges it once.
    """

    subject: str
    what: str
    repair: Repair | None = None
    note: bool = False
    foreign: bool = False


@dataclass
class RunOptions:
    """How a run looks: from which block, and whether it reads what it otherwise only asks for.

    `patience` is how many seconds pass before a difference is looked at again; relayer and indexer mend what
    they mend in about one. `tick` is told how many things have been compared.
    """

    first: int
    deep: bool = False
    patience: float = 0.0
    tick: Callable[[int], None] = _ignore


@dataclass(frozen=True)
class Check:
    """A question with an id, and the generator that answers it; it changes nothing.

    `remedy` says what to do about what no repair mends.
    """

    id: str
    title: str
    find: Callable[[RunOptions], Iterator[Finding]]
    remedy: str = ""


@dataclass
class Result:
    """What a check found; by subject, what repairs said, and what those raised that failed.

    `acknowledged` has, by subject, what an operator has seen before of foreign findings.
    """

    check: Check
    findings: list[Finding] = field(default_factory=list)
    repaired: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Count the differences that are still there and that nobody has acknowledged."""
        return sum(map(self.is_left, self.findings))

    def is_left(self, finding: Finding) -> bool:
        """Return whether a finding is a difference that is neither mended nor acknowledged."""
        return not (finding.note or finding.subject in self.repaired or self.is_acknowledged(finding))

    def is_acknowledged(self, finding: Finding) -> bool:
        """Return whether an operator has seen this foreign finding, just as it is now."""
        return finding.foreign and self.acknowledged.get(finding.subject) == finding.what


def reconcile(checks: Iterable[Check], options: RunOptions, *, repair: bool = False) -> Iterator[Result]:
    """Run the checks in their order; with `repair`, mend what each found before the next one runs.

    Raises what chain and store raise when they do not answer.
    """
    for check in checks:
        yield _run(check, options, repair=repair)


def _run(check: Check, options: RunOptions, *, repair: bool) -> Result:
    first = {finding.subject for finding in check.find(options)}
    if not first:
        return Result(check)
    time.sleep(options.patience)
    again = {finding.subject: finding for finding in check.find(options)}
    result = Result(check, [finding for subject, finding in again.items() if subject in first])
    if any(finding.foreign for finding in result.findings):
        known = AcknowledgedFinding.objects.filter(check_id=check.id)
        result.acknowledged = dict(known.values_list("subject", "what"))
    if repair and (done := _repair(result)):
        left = {finding.subject for finding in check.find(options) if not finding.note}
        result.repaired = {subject: outcome for subject, outcome in done.items() if subject not in left}
    return result


def acknowledge(result: Result) -> int:
    """Note the foreign findings that are left, so that only new ones count from now on; how many."""
    seen = [finding for finding in result.findings if finding.foreign and result.is_left(finding)]
    for finding in seen:
        AcknowledgedFinding.objects.update_or_create(
            check_id=result.check.id, subject=finding.subject, defaults={"what": finding.what}
        )
        result.acknowledged[finding.subject] = finding.what
    return len(seen)


def _repair(result: Result) -> dict[str, str]:
    """Try every repair; what each one said. One that fails does not hold up the others."""
    done: dict[str, str] = {}
    for finding in result.findings:
        try:
            outcome = finding.repair() if finding.repair is not None else ""
        except Exception as problem:  # of chain, store or database; its text may name a person
            where = "".join(traceback.format_tb(problem.__traceback__))
            log.error("repair of %s failed: %s\n%s", finding.subject, type(problem).__name__, where)
            result.failed[finding.subject] = type(problem).__name__
            continue
        if outcome:
            done[finding.subject] = outcome
    return done


def applied_block() -> int:
    """Return the last block whose events the handlers have had.

    ChainUnavailable before the first was read.
    """
    applied = Cursor.objects.values_list("applied", flat=True).first()
    if applied is None:
        raise ChainUnavailable("The chain has not been read yet.")
    return applied


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield the items, some at a time."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def row_chunks(
    rows: QuerySet[Row], options: RunOptions, size: int = CHUNK, *, key: str = "pk"
) -> Iterator[list[Row]]:
    """Yield all rows in the order of their keys, some at a time, each chunk read when it is wanted."""
    last: Any = None
    while True:
        chunk = rows.order_by(key) if last is None else rows.order_by(key).filter(**{f"{key}__gt": last})
        part = list(chunk[:size])
        if not part:
            return
        options.tick(len(part))
        yield part
        last = getattr(part[-1], key)


def view_many(function: str, arguments: Iterable[tuple[Any, ...]], at: int) -> list[tuple[Any, ...]]:
    """Return what a view of the contract returned at a block, for each tuple of arguments."""
    contract = deployment().address
    calls = [
        ("eth_call", ({"to": contract, "data": "0x" + encode_call(function, *argument).hex()}, hex(at)))
        for argument in arguments
    ]
    answers = rpc.batch(calls)
    return [decode_result(function, bytes.fromhex(answer[2:])) for answer in answers]
