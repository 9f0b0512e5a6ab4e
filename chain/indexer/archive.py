"""The archive: what was read, as rows. Blocks with events and the ends of ranges; every event of an act."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Max, OuterRef, Subquery

from chain.acts.events import decode_log
from chain.errors import Reorganised
from chain.models import Act, Block, Event, EventDigest
from chain.models.bulk import BATCH, insert_rows
from chain.node import client
from chain.node.deployment import domain_at
from chain.node.domain import Domain
from chain.node.ranges import BlockRange

_DIGEST_FIELDS = ("content", "description", "secret", "envelopes", "reason", "name")
_WORD_CHARACTERS = 66
_NOTHING = "0x" + "0" * 64


def events_of(block_range: BlockRange) -> list[Event]:
    """Return the acts' events of a range that are not kept yet, not saved and without their blocks.

    BadLog.
    """
    speaking, known = domain_at(block_range.first), _known(block_range)
    raw_logs = (raw for raw in block_range.logs if (raw.block_hash, raw.log_index) not in known)
    return [event for raw in raw_logs if (event := _event(raw, block_range, speaking)) is not None]


def store_range(block_range: BlockRange, events: list[Event]) -> None:
    """Keep a range's blocks and those of its events that are not kept yet, in the caller's transaction.

    Reorganised where what is kept contradicts it.
    """
    blocks = _store_blocks(block_range)
    known = _known(block_range)
    new_events = [event for event in events if (event.block_hash, event.log_index) not in known]
    for event in new_events:
        event.block = blocks[event.block_number]
    insert_rows(new_events)
    digests = {digest for event in new_events for digest in named_digests(event.args)}
    insert_rows([EventDigest(digest=digest) for digest in digests], unique=("digest",))


def named_digests(fields: Mapping[str, Any]) -> set[str]:
    """Return the digests of files that an act's fields, or an event's arguments, name.

    A record's `secret` is one where it has 32 bytes: then it is an envelope list's.
    """
    values = (fields.get(name) for name in _DIGEST_FIELDS)
    digests = {value for value in values if isinstance(value, str) and len(value) == _WORD_CHARACTERS}
    return digests - {_NOTHING}


def link_acts(first: int, last: int) -> None:
    """Mark the acts whose events stand in these blocks: those that build on them may go."""
    seen = Event.objects.filter(block_number__range=(first, last))
    theirs = seen.filter(act_digest=OuterRef("digest")).values("act_digest").annotate(newest=Max("pk"))
    Act.objects.filter(event=None, digest__in=seen.values("act_digest")).update(
        event=Subquery(theirs.values("newest"))
    )


def _known(block_range: BlockRange) -> set[tuple[str, int]]:
    stored = Event.objects.filter(block_number__range=(block_range.first, block_range.last))
    return set(stored.values_list("block_hash", "log_index"))


def _store_blocks(block_range: BlockRange) -> dict[int, Block]:
    hashes = block_range.hashes
    if any(raw.block_hash != hashes[raw.block_number] for raw in block_range.logs):
        raise Reorganised
    known = {
        row.number: row
        for row in Block.objects.filter(number__range=(block_range.first - 1, block_range.last))
    }
    node_hashes = {number: header.hash for number, header in block_range.headers.items()} | hashes
    if block_range.first in block_range.headers:
        node_hashes[block_range.first - 1] = block_range.headers[block_range.first].parent
    if any(row.hash != node_hashes.get(number, row.hash) for number, row in known.items()):
        raise Reorganised
    rows = [
        Block(number=number, hash=hash_, time=block_range.times[number])
        for number, hash_ in hashes.items()
        if number not in known
    ]
    saved = Block.objects.bulk_create(rows, batch_size=BATCH)
    return known | {row.number: row for row in saved}


def _event(raw: client.RawLog, block_range: BlockRange, speaking: Domain) -> Event | None:
    decoded = decode_log(raw.topics, raw.data, speaking)
    if decoded is None:
        return None
    slot, number = decoded.act.slot
    return Event(
        block_number=raw.block_number,
        block_hash=raw.block_hash,
        block_time=block_range.times[raw.block_number],
        log_index=raw.log_index,
        tx_hash=raw.tx_hash,
        name=decoded.name,
        author=decoded.act.author,
        subject=decoded.act.subject,
        args=decoded.args,
        act_digest=decoded.digest,
        slot=slot,
        number=number,
    )
