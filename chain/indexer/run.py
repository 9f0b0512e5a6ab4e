"""The indexer: reads the chain's events in ranges, keeps them, gives them to the handlers once deep enough.

One call reads to the head. What lies above the confirmation depth is read again each time, since a node may
lag or the chain may reorganise; its events are kept as pending. The cursor is moved by guarded updates, so
that a second process at the same work rolls back.
"""

import logging
from collections.abc import Container, Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chain.errors import (
    ChainError,
    ChainUnavailable,
    LogsMissing,
    NodeBehind,
    NotDeployed,
    Reorganised,
    explain,
)
from chain.indexer.archive import events_of, link_acts, store_range
from chain.indexer.reorg import RUN, find_ancestor, rewind
from chain.models import Block, Cursor, Event
from chain.models.bulk import batches
from chain.node import client, identity
from chain.node.deployment import deployment, first_block
from chain.node.ranges import BlockRange, RangeReader
from chain.outbox.settle import confirm_acts
from chain.registry import announce_events, runs_of
from chain.support.shared_clock import SharedNow, is_within, shared_now

log = logging.getLogger(__name__)

_TRIES = 5
_STATUS_EVERY = timedelta(seconds=3)  # freshness allows for 10, of which a reading may take some
_ONE_AFTER_ANOTHER = timedelta(seconds=60)  # readings: between them the chain's clock is gone on with
_NEWS_WITHIN = timedelta(seconds=5)  # between two readings: then a head that was not there before is new
_PASSING = timedelta(seconds=9)
BEHIND_FOR = timedelta(seconds=12)  # a node behind for longer has gone back in time
_KEEP_EMPTY = 512  # empty blocks kept below the applied one, to find an ancestor by


class _Lost(Exception):
    """Another process moved the cursor first."""


def run_indexer() -> None:
    """Read and apply what is new. Never raises for the chain's sake: what is wrong stands on the cursor."""
    try:
        cursor = cursor_row()
    except NotDeployed:
        return
    except ChainError as problem:
        log.warning("Not reading the chain: %s", explain(problem))
        return
    try:
        if not _read_to_head(cursor):
            cursor.refresh_from_db()
            _read_to_head(cursor)
    except _Lost:
        return
    except ChainError as problem:
        if isinstance(problem, NodeBehind):
            until_now = Cursor.objects.filter(pk=cursor.pk, behind_since=None)
            until_now.update(behind_since=timezone.now(), behind_tick=SharedNow())
        if not _passes(cursor, problem):
            _say(cursor, str(problem))
    except Exception as problem:
        _say(cursor, f"An event could not be applied ({type(problem).__name__}); the log says more.")
        raise


def _read_to_head(cursor: Cursor) -> bool:
    """One reading; False where it took so long that what was read may be old by now."""
    began = shared_now()
    head = checked_head()
    _sync(cursor, head)
    _note_reading(cursor, head, began)
    return is_within(began, _STATUS_EVERY, shared_now())


def _passes(cursor: Cursor, problem: ChainError) -> bool:
    """Return whether a problem comes and goes where several nodes answer in turn: said only when it stays."""
    passing = isinstance(problem, LogsMissing | NodeBehind | Reorganised)
    return passing and is_within(cursor.heard_tick, _PASSING, shared_now())


def reindex_from(block: int) -> None:
    """Forget what was read from this block on; the next runs read it again, and its acts wait meanwhile.

    NotDeployed without a contract; ChainUnavailable without a node to read from, or where other processes
    read too eagerly.
    """
    start = max(first_block() - 1, 0)
    checked_head()  # who forgets revokes must be able to read them again at once
    for _ in range(_TRIES):
        cursor = cursor_row()
        try:
            return _rewind_to(cursor, min(max(block - 1, start), cursor.seen))
        except _Lost:
            continue
    raise ChainUnavailable("The chain is being read just now. Try again.")


def cursor_row() -> Cursor:
    """Return how far we are; NotDeployed without a contract."""
    start = max(first_block() - 1, 0)
    return Cursor.objects.get_or_create(name="events", defaults={"seen": start, "applied": start})[0]


def checked_head() -> client.Head:
    """Return the newest block of a node that is of the contract's chain. ChainUnavailable."""
    if (chain_id := identity.chain_id()) != deployment().chain_id:
        raise ChainUnavailable(
            f"The node is of chain {chain_id}, the contract of chain {deployment().chain_id}."
        )
    return client.head()


def _sync(cursor: Cursor, head: client.Head) -> None:
    ancestor = find_ancestor(head, patient=_is_patient(cursor))
    if ancestor is not None:
        _rewind_to(cursor, ancestor)
    depth = depth_of(head)
    if cursor.seen == head.number and cursor.applied >= depth:
        return
    first = min(cursor.applied, cursor.seen) + 1
    while first <= head.number:
        last = _read_range(cursor, first, head)
        _apply(cursor, min(depth, last))
        first = last + 1
    _prune(cursor.applied)


def depth_of(head: client.Head) -> int:
    """Return the last block that is deep enough to be applied."""
    confirmations: int = settings.CHAIN_CONFIRMATIONS
    return head.number - confirmations + 1


def _is_patient(cursor: Cursor) -> bool:
    """Return whether a node behind is waited for: not for long, unless it says that it is syncing."""
    if cursor.behind_since is None:
        return True
    return is_within(cursor.behind_tick, BEHIND_FOR, shared_now()) or client.is_syncing()


def _rewind_to(cursor: Cursor, ancestor: int) -> None:
    applied = min(cursor.applied, ancestor)
    with transaction.atomic():
        _guard(cursor, seen=ancestor, applied=applied)
        rewind(ancestor)
    cursor.seen, cursor.applied = ancestor, applied


def _read_range(cursor: Cursor, first: int, head: client.Head) -> int:
    """Store one range's events; its last block."""
    reader = RangeReader(cursor.range)
    try:
        block_range = reader.read(first, head)
    except ChainError:
        if reader.size != cursor.range:
            Cursor.objects.filter(pk=cursor.pk).update(range=reader.size)
        raise
    events = events_of(block_range)
    seen = max(block_range.last, cursor.seen)
    with transaction.atomic():
        # The head too: on a long way the status tells how far it is, and that the node answers.
        heard = {"checked_at": timezone.now(), "heard_tick": SharedNow()}
        _guard(cursor, seen=seen, range=reader.size, head=head.number, **heard)
        _store(block_range, events)
    cursor.seen, cursor.range = seen, reader.size
    return block_range.last


def _store(block_range: BlockRange, events: list[Event]) -> None:
    store_range(block_range, events)
    link_acts(block_range.first, block_range.last)


def _apply(cursor: Cursor, depth: int) -> None:
    """Give the events up to a block to the handlers, some blocks a transaction."""
    while (until := _next_stop(depth)) is not None:
        with transaction.atomic():
            _guard(cursor, applied=until)
            apply_events(Event.objects.pending().filter(block_number__lte=until).in_order())
        cursor.applied = until
    if depth > cursor.applied:
        _guard(cursor, applied=depth)
        cursor.applied = depth


def _next_stop(depth: int) -> int | None:
    """Return the last of the next blocks, whole ones, whose pending events are applied in one transaction."""
    pending = Event.objects.pending().filter(block_number__lte=depth).in_order()
    blocks = list(pending.values_list("block_number", flat=True)[:RUN])
    if len(blocks) == RUN and blocks[0] < blocks[-1]:
        return blocks[-1] - 1
    return blocks[-1] if blocks else None


def apply_events(events: Iterable[Event], *, known: Container[str] = ()) -> None:
    """Events at depth, in order: handlers, the mark, the acts they settle; in the caller's transaction.

    Events of the `known` digests happened before: only projections hear of them.
    """
    for run in runs_of(events, known):
        announce_events(run, again=run[0].act_digest in known)
        for marked in batches(event.pk for event in run):
            Event.objects.filter(pk__in=marked).update(applied=True)
        for event in run:
            event.applied = True
        confirm_acts(run)


def _guard(cursor: Cursor, **moved: Any) -> None:
    """Move the cursor if it still is where we know it; the transaction is rolled back if not."""
    own_row = Cursor.objects.filter(pk=cursor.pk, seen=cursor.seen, applied=cursor.applied)
    if own_row.update(**moved) != 1:
        raise _Lost


def _prune(applied: int) -> None:
    """Let go of blocks without events that are too deep to tell anything."""
    deep = (applied - 16 * _KEEP_EMPTY, applied - _KEEP_EMPTY - 1)  # not through the whole archive each time
    old = Block.objects.filter(number__range=deep, events=None)
    if old.count() > _KEEP_EMPTY:
        old.delete()


def _say(cursor: Cursor, error: str) -> None:
    """Keep why the chain is not read."""
    if cursor.error != error:
        log.warning("Not reading the chain: %s", error)
        Cursor.objects.filter(pk=cursor.pk).update(error=error)


def _note_reading(cursor: Cursor, head: client.Head, began: int) -> None:
    """Keep that all was read up to the head, by a reading that began at a tick. Every few seconds at least.

    Only where the cursor still is where this reading left it: whoever reads rows that were put back from a
    backup must not be told that they are fresh.
    """
    is_new = cursor.head != head.number or cursor.head_time != head.time
    recent = is_within(cursor.read_tick, _STATUS_EVERY, began)
    if recent and not (is_new or cursor.error or cursor.behind_since):
        return
    follows = is_within(cursor.read_tick, _ONE_AFTER_ANOTHER, began)
    noted: dict[str, Any] = {"head": head.number, "head_time": head.time, "read_tick": began}
    if not follows:
        noted["head_tick"] = None
    elif is_new:
        noted["head_tick"] = began if is_within(cursor.read_tick, _NEWS_WITHIN, began) else None
    noted |= {"checked_at": timezone.now(), "heard_tick": SharedNow()}
    _guard(cursor, **noted, error="", behind_since=None, behind_tick=None)
