"""Whether the view log is the one that was anchored: the roots of its rows, against those on the chain."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice, zip_longest

from chain.errors import MissingKey
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import anchor_key
from chain.reconcile.run import Check, Finding, RunOptions, row_chunks
from records.chain_words import word
from records.crypto.merkle import Frontier
from records.models import Anchor, AnchoredLog, ViewLog

REMEDY = "No command mends a view log: a backup has the rows as they were, and the roots tell which backup."


def compare_view_log(options: RunOptions) -> Iterator[Finding]:
    """Of each log, the first anchor that its rows contradict, and what else belongs to no anchor's rows.

    An anchor proves the rows before it, so the difference lies in the rows between it and the anchor before.
    """
    logs = list(AnchoredLog.objects.order_by("number"))
    for log, following in zip_longest(logs, logs[1:]):
        yield from _compare(log, following, options)
    yield from _find_strays(logs, options)
    yield from _find_foreign_logs(logs)


CHECKS = (Check("R501", "the view log differs from its anchors", compare_view_log, REMEDY),)


def _compare(log: AnchoredLog, following: AnchoredLog | None, options: RunOptions) -> Iterator[Finding]:
    """A log's rows, one after the other, against each anchor in turn; then against what was signed last."""
    size = following.start - log.start if following else log.size
    placed = ViewLog.objects.filter(position__gte=log.start, position__lt=log.start + size)
    rows = chain.from_iterable(row_chunks(placed, options, key="position"))
    tree, proven = Frontier(), 0
    for anchor in chain.from_iterable(row_chunks(log.anchors.filter(size__lte=size), options, key="size")):
        _grow(tree, rows, anchor.size)
        if (tree.size, word(tree.root)) != (anchor.size, anchor.root):
            yield _difference(
                log, proven, anchor.size, f"differ from their anchor in block {anchor.block_number}"
            )
            return
        proven = anchor.size
    if following is None:
        _grow(tree, rows, size)
        if (tree.size, tree.to_bytes()) != (size, bytes(log.peaks)):
            yield _difference(log, proven, size, "differ from what was signed last")
    yield from _find_beyond(log, size, closed=following is not None)


def _grow(tree: Frontier, rows: Iterator[ViewLog], size: int) -> None:
    """Take rows into the tree until it has this size, or there are no more."""
    for row in islice(rows, size - tree.size):
        try:
            entry = row.entry
        except (ValueError, OverflowError):
            entry = b""  # of no row: it has been changed
        tree.append(entry)


def _difference(log: AnchoredLog, proven: int, size: int, what: str) -> Finding:
    first, last = log.start + proven + 1, log.start + size
    return Finding(f"view log {log.number}, rows {first} to {last}", what)


def _find_beyond(log: AnchoredLog, size: int, *, closed: bool) -> Iterator[Finding]:
    """An anchor of more rows than there are. Of a log that had to end before it, it is a note for good."""
    last = log.anchors.filter(size__gt=size).last()
    if last is None:
        return
    what = f"its anchor in block {last.block_number} covers {last.size - size} rows that are not here"
    if closed:
        what += f": it ended at row {log.start + size}, as when a backup is restored"
    yield Finding(f"view log {log.number}", what, note=closed)


def _find_strays(logs: list[AnchoredLog], options: RunOptions) -> Iterator[Finding]:
    """Rows with a number that no anchor was signed for."""
    end = logs[-1].end if logs else 0
    for part in row_chunks(ViewLog.objects.filter(position__gte=end), options, key="position"):
        for row in part:
            yield Finding(f"view {row.pk}", "has a place in the log that nothing was signed for")


def _find_foreign_logs(logs: list[AnchoredLog]) -> Iterator[Finding]:
    """Anchors by this portal's keys of a log that it does not know."""
    authors = {log.author for log in logs}
    with suppress(MissingKey):
        authors.add(address_of_key(anchor_key()))
    unknown = Anchor.objects.filter(author__in=authors).exclude(log__in=[log.log for log in logs])
    for log in unknown.order_by("log").values_list("log", flat=True).distinct():
        yield Finding(f"log {log}", "was anchored with this portal's key, and is not in its tables")
