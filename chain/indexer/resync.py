"""Resync: the archive and every projection made anew from the chain alone.

First everything is read into a temporary file, while the portal and its indexer go on; then it takes the old
rows' place in one transaction. Killed at any moment, it leaves the old state or the new one.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from django.conf import settings
from django.db import transaction

from chain.errors import ChainUnavailable, Reorganised
from chain.indexer.archive import events_of, link_acts, store_range
from chain.indexer.reorg import RUN, rebuild_projections
from chain.indexer.run import apply_events, checked_head, cursor_row, depth_of
from chain.models import Act, Block, Cursor, Event, Transaction
from chain.models.bulk import batches
from chain.node import client
from chain.node.deployment import first_block
from chain.node.ranges import BlockRange, RangeReader
from chain.outbox.precedence import BY_TRANSACTION, take_back
from chain.registry import reset_projections

Progress = Callable[[str, int, int], None]
_TRIES = 20
_BLOCKS = 500  # of the old archive deleted at once


@dataclass(frozen=True)
class _Mark:
    """A range in the file: its last block, and where it ends there."""

    number: int
    hash: str
    end: int


class _Overtaken(Exception):
    """The indexer has read further than we have."""


def resync(progress: Progress) -> int:
    """Read the whole chain, and put what it says in the place of the archive and the projections.

    `progress` hears what is done, how much of it, and of how much. Returns how many events there are.
    ChainError where the node does not play along; then nothing has changed.
    """
    cursor = cursor_row()
    with tempfile.TemporaryFile("w+", dir=settings.VAR) as file:
        staged = _Staged(file, progress)
        for _ in range(_TRIES):
            head = staged.read_to_head()
            empty = _empty_blocks(head)
            try:
                with transaction.atomic():
                    _take(cursor, head)
                    return _swap(staged, empty, head)
            except _Overtaken:
                continue
    raise ChainUnavailable("The indexer was always further. Try again.")


def reapply(progress: Progress) -> int:
    """Make the projections anew from the stored events; returns how many were applied."""
    cursor_row()
    with transaction.atomic():
        Cursor.objects.select_for_update(no_key=True).get()
        count = Event.objects.applied().count()
        progress("applied", 0, count)
        rebuild_projections()
        progress("applied", count, count)
    return count


class _Staged:
    """The chain's ranges, read into a file."""

    def __init__(self, file: IO[str], progress: Progress) -> None:
        self._file, self._progress = file, progress
        self._reader = RangeReader(Cursor._meta.get_field("range").default)
        self._first = first_block()
        self._marks: list[_Mark] = []

    def read_to_head(self) -> client.Head:
        """Read what is missing; the head that the file then ends with."""
        while True:
            head = checked_head()
            while self._marks and not _is_there(self._marks[-1], head):
                self._marks.pop()
            if self._marks and self._marks[-1].number == head.number:
                return head
            if head.number < self._first:
                raise ChainUnavailable("The node does not have the contract's block yet.")
            try:
                self._read_on(head)
            except Reorganised:
                continue

    def _read_on(self, head: client.Head) -> None:
        while (first := self._marks[-1].number + 1 if self._marks else self._first) <= head.number:
            block_range = self._reader.read(first, head)
            self._file.seek(self._marks[-1].end if self._marks else 0)
            self._file.truncate()
            self._file.write(_dump(block_range) + "\n")
            self._marks.append(
                _Mark(block_range.last, block_range.headers[block_range.last].hash, self._file.tell())
            )
            self._progress("read", block_range.last - self._first + 1, head.number - self._first + 1)

    def store(self) -> int:
        """Store every range, in the caller's transaction; returns how many events there are."""
        self._file.seek(0)
        for mark in self._marks:
            block_range = _load(self._file.readline())
            store_range(block_range, events_of(block_range))
            link_acts(block_range.first, block_range.last)
            self._progress("stored", mark.number - self._first + 1, self._marks[-1].number - self._first + 1)
        return Event.objects.count()

    def apply(self, depth: int, known: set[str]) -> None:
        """Give every event up to a block to the handlers, in the caller's transaction."""
        pending = Event.objects.pending().filter(block_number__lte=depth).in_order()
        count, done = pending.count(), 0
        while chunk := list(pending[:RUN]):
            apply_events(chunk, known=known)
            done += len(chunk)
            self._progress("applied", done, count)


def _is_there(mark: _Mark, head: client.Head) -> bool:
    block = head if mark.number == head.number else client.block(mark.number)
    return mark.number <= head.number and block is not None and block.hash == mark.hash


def _take(cursor: Cursor, head: client.Head) -> None:
    """Move the cursor to where the file ends: an indexer at work rolls back. _Overtaken."""
    own_row = Cursor.objects.filter(pk=cursor.pk, seen__lte=head.number)
    applied = max(depth_of(head), first_block() - 1, 0)
    if own_row.update(seen=head.number, applied=applied, head=head.number, behind_since=None) != 1:
        raise _Overtaken


def _empty_blocks(head: client.Head) -> list[Block]:
    """Return the blocks without events that the archive keeps to notice reorganisations, if on the chain."""
    blocks = []
    for row in Block.objects.filter(events=None, number__lte=head.number):
        block = client.block(row.number)
        if block is not None and block.hash == row.hash:
            blocks.append(Block(number=block.number, hash=block.hash, time=block.time))
    return blocks


def _swap(staged: _Staged, empty: list[Block], head: client.Head) -> int:
    """Put the new rows in the place of the old ones. Acts keep their state where the chain bears it out."""
    known = set(Event.objects.applied().values_list("act_digest", flat=True))
    numbers = Block.objects.order_by("number").values_list("number", flat=True)
    while chunk := list(numbers[:_BLOCKS]):
        Block.objects.filter(number__lte=chunk[-1]).delete()
    count = staged.store()
    Block.objects.filter(events=None, number__lt=head.number).delete()  # ends of our own ranges
    Block.objects.bulk_create(empty, ignore_conflicts=True)
    _take_back_acts()
    reset_projections()
    staged.apply(depth_of(head), known)
    return count


def _take_back_acts() -> None:
    """Confirmed acts that the chain does not have wait again, and their transactions are looked at anew."""
    lost = Act.objects.confirmed().filter(event=None)
    carriers = set(lost.exclude(transaction=None).values_list("transaction", flat=True))
    take_back(lost, BY_TRANSACTION)
    for chunk in batches(carriers):
        Transaction.objects.filter(pk__in=chunk).reopen()


def _dump(block_range: BlockRange) -> str:
    """Return a range in one line of JSON; of its headers the last one."""
    end = block_range.headers[block_range.last]
    return json.dumps(
        {
            "first": block_range.first,
            "end": [end.number, end.hash, int(end.time.timestamp()), end.base_fee, end.parent, end.bloom],
            "times": {number: int(time.timestamp()) for number, time in block_range.times.items()},
            "logs": [
                [log.block_number, log.block_hash, log.log_index, log.tx_hash, log.topics, log.data, None]
                for log in block_range.logs
            ],
        }
    )


def _load(line: str) -> BlockRange:
    fields = json.loads(line)
    number, hash_, time, *rest = fields["end"]
    return BlockRange(
        first=fields["first"],
        last=number,
        logs=[client.RawLog(*log) for log in fields["logs"]],
        headers={number: client.Head(number, hash_, _moment(time), *rest)},
        times={int(number): _moment(time) for number, time in fields["times"].items()},
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
