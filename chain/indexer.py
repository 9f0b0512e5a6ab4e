"""The indexer: reads the chain's events in ranges, keeps them, gives them to the handlers once deep enough.

One call reads to the head. What lies above the confirmation depth is read again each time, since a node may
lag or the chain may reorganise; its events are kept as pending. The cursor is moved by guarded updates, so
that a second process at the same work rolls back.
"""

import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chain import client
from chain.abi import ACT_OF_EVENT, act_types, decode_log
from chain.acts import PreparedAct
from chain.deployment import Domain, deployment, domain
from chain.errors import ChainError, ChainUnavailable, NotDeployed, RpcRefused
from chain.handlers import announce_event
from chain.models import Act, Block, Cursor, Event
from chain.reorg import NodeBehind, Reorganised, find_ancestor, rewind
from chain.settling import confirm_act

log = logging.getLogger(__name__)

_QUICK = 1.0  # seconds: a range answered faster than this may grow
_STATUS_EVERY = timedelta(seconds=5)
BEHIND_FOR = timedelta(seconds=12)  # a node behind for longer has gone back in time
_KEEP_EMPTY = 512  # empty blocks kept below the applied one, to find an ancestor by


class _Lost(Exception):
    """Another process moved the cursor first."""


def run_indexer() -> None:
    """Read and apply what is new. Never raises for the chain's sake: what is wrong stands on the cursor."""
    try:
        cursor = _cursor()
    except NotDeployed:
        return
    except ChainError as problem:
        log.warning("Not reading the chain: %s", problem)
        return
    try:
        head = _checked_head()
        _sync(cursor, head)
        _note(cursor, head.number, "")
    except _Lost:
        return
    except ChainError as problem:
        if isinstance(problem, NodeBehind):
            Cursor.objects.filter(pk=cursor.pk, behind_since=None).update(behind_since=timezone.now())
        _note(cursor, None, str(problem))
    except Exception as problem:
        _note(cursor, None, f"An event could not be applied ({type(problem).__name__}); the log says more.")
        raise


def _cursor() -> Cursor:
    start = max(deployment().block - 1, 0)
    return Cursor.objects.get_or_create(name="events", defaults={"seen": start, "applied": start})[0]


def _checked_head() -> client.Head:
    if (found := client.chain_id()) != deployment().chain_id:
        raise ChainUnavailable(
            f"The node is of chain {found}, the contract of chain {deployment().chain_id}."
        )
    return client.head()


def _sync(cursor: Cursor, head: client.Head) -> None:
    since = cursor.behind_since
    ancestor = find_ancestor(head, patient=since is None or timezone.now() - since < BEHIND_FOR)
    if ancestor is not None:
        with transaction.atomic():
            _guard(cursor, seen=ancestor, applied=min(cursor.applied, ancestor))
            rewind(ancestor, announce_event)
        cursor.seen, cursor.applied = ancestor, min(cursor.applied, ancestor)
    depth = head.number - settings.CHAIN_CONFIRMATIONS + 1
    if cursor.seen == head.number and cursor.applied >= depth:
        return
    first = min(cursor.applied, cursor.seen) + 1
    while first <= head.number:
        last = _read_range(cursor, first, head)
        _apply(cursor, min(depth, last))
        first = last + 1
    _prune(cursor.applied)


def _read_range(cursor: Cursor, first: int, head: client.Head) -> int:
    """Store one range's events; its last block.

    The range halves when the node refuses, and grows when it is quick.
    """
    while True:
        last = min(first + cursor.range - 1, head.number)
        begun = time.monotonic()
        try:
            found = client.logs(first, last)
            break
        except (ChainUnavailable, RpcRefused):
            if cursor.range == 1:
                raise
            cursor.range = max(cursor.range // 2, 1)
    end = head if last == head.number else client.block(last)
    if end is None:
        raise ChainUnavailable("The node has fewer blocks than it said.")
    if time.monotonic() - begun < _QUICK and last - first + 1 == cursor.range:
        cursor.range = min(cursor.range * 2, settings.CHAIN_BLOCK_RANGE_MAX)
    times = _block_times(found, end)
    with transaction.atomic():
        _guard(cursor, seen=max(last, cursor.seen), range=cursor.range)
        _store(found, times, end)
    cursor.seen = max(last, cursor.seen)
    return last


def _block_times(found: list[client.RawLog], end: client.Head) -> dict[int, datetime]:
    """Each block's time; asked of the node where the logs do not say it."""
    times = {end.number: end.time}
    for raw in found:
        if raw.block_number not in times:
            block = None if raw.block_time else client.block(raw.block_number)
            given = raw.block_time or (block.time if block else None)
            if given is None:
                raise ChainUnavailable("The node has lost a block it gave a log of.")
            times[raw.block_number] = given
    return times


def _store(found: list[client.RawLog], times: dict[int, datetime], end: client.Head) -> None:
    blocks = {raw.block_number: raw.block_hash for raw in found}
    if blocks.setdefault(end.number, end.hash) != end.hash:
        raise Reorganised("The chain changed while it was read.")
    rows = {number: _block(number, hash_, times[number]) for number, hash_ in blocks.items()}
    numbers = list(blocks)
    known = set(Event.objects.filter(block_number__in=numbers).values_list("block_number", "log_index"))
    speaking = domain()
    fresh = [
        event
        for raw in found
        if (raw.block_number, raw.log_index) not in known
        and (event := _event(raw, rows[raw.block_number], speaking)) is not None
    ]
    _link_acts(Event.objects.bulk_create(fresh, batch_size=500))


def _block(number: int, hash_: str, at: datetime) -> Block:
    row, _ = Block.objects.get_or_create(number=number, defaults={"hash": hash_, "time": at})
    if row.hash != hash_:
        raise Reorganised("The chain changed while it was read.")
    return row


def _event(raw: client.RawLog, block: Block, speaking: Domain) -> Event | None:
    decoded = decode_log(raw.topics, raw.data)
    if decoded is None:
        return None
    name, args = decoded
    kind = ACT_OF_EVENT[name]
    act = PreparedAct(kind, {field: args[field] for field, _ in act_types()[kind].members})
    slot, number = act.slot
    return Event(
        block=block,
        block_number=block.number,
        block_hash=block.hash,
        block_time=block.time,
        log_index=raw.log_index,
        tx_hash=raw.tx_hash,
        name=name,
        author=act.author,
        subject=act.subject,
        args=args,
        act_digest=act.digest(speaking),
        slot=slot,
        number=number,
    )


def _link_acts(events: Iterable[Event]) -> None:
    """Mark the acts that are seen at the head: those that build on them may go."""
    by_digest = {event.act_digest: event for event in events}
    digests = list(by_digest)
    for start in range(0, len(digests), 500):
        for act in Act.objects.filter(digest__in=digests[start : start + 500], event=None):
            Act.objects.filter(pk=act.pk).update(event=by_digest[act.digest])


def _apply(cursor: Cursor, depth: int) -> None:
    """Give the events up to a block to the handlers, a transaction per block."""
    pending = Event.objects.pending().filter(block_number__lte=depth)
    for number in sorted(set(pending.values_list("block_number", flat=True))):
        with transaction.atomic():
            _guard(cursor, applied=number)
            for event in Event.objects.pending().filter(block_number=number).in_order():
                apply_event(event)
        cursor.applied = number
    if depth > cursor.applied:
        _guard(cursor, applied=depth)
        cursor.applied = depth


def apply_event(event: Event) -> None:
    """One event, at depth: handlers, the mark, and the act it settles, in the caller's transaction."""
    announce_event(event)
    event.applied = True
    event.save(update_fields=["applied"])
    confirm_act(event)


def _guard(cursor: Cursor, **moved: int) -> None:
    """Move the cursor if it still is where we know it; the transaction is rolled back if not."""
    here = Cursor.objects.filter(pk=cursor.pk, seen=cursor.seen, applied=cursor.applied)
    if here.update(**moved) != 1:
        raise _Lost


def _prune(applied: int) -> None:
    """Let go of blocks without events that are too deep to tell anything."""
    old = Block.objects.filter(number__lt=applied - _KEEP_EMPTY, events=None)
    if old.count() > _KEEP_EMPTY:
        old.delete()


def _note(cursor: Cursor, head: int | None, error: str) -> None:
    """Keep what the status page says; while nothing changes, every few seconds."""
    now = timezone.now()
    if head is None:
        if cursor.error != error:
            log.warning("Not reading the chain: %s", error)
            Cursor.objects.filter(pk=cursor.pk).update(error=error)
        return
    fresh = cursor.checked_at is not None and now - cursor.checked_at < _STATUS_EVERY
    fresh = fresh and cursor.behind_since is None
    if not (fresh and cursor.head == head and cursor.error == error):
        Cursor.objects.filter(pk=cursor.pk).update(head=head, checked_at=now, error=error, behind_since=None)
