"""Whether the archive of events is what the node says, and whether the handlers have had all of it."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import transaction

from chain.acts.messages import PreparedAct
from chain.contract.abi import ACT_OF_EVENT, act_types, decode_log_by_abi
from chain.errors import ChainUnavailable, RpcRefused
from chain.indexer.run import apply_events
from chain.models import Event
from chain.node import client
from chain.node.deployment import domain_at, tenure_at
from chain.node.domain import Domain
from chain.reconcile.run import Check, Finding, RunOptions, applied_block, row_chunks

_RESYNC = "`manage.py resync` reads the chain anew."
Place = tuple[int, int]
Said = dict[str, Any]
_FIELDS = ("block_hash", "tx_hash", "name", "author", "subject", "args", "act_digest", "slot", "number")


def compare_archive(options: RunOptions) -> Iterator[Finding]:
    """Yield events that the node has and the archive has not, the other way round, or otherwise."""
    for on_chain, stored in _ranges(options):
        for place in sorted(on_chain.keys() | stored.keys()):
            if problem := _differ(on_chain.get(place), stored.get(place)):
                yield Finding(f"block {place[0]}, log {place[1]}", problem)


def find_unapplied_events(options: RunOptions) -> Iterator[Finding]:
    """Yield events below the cursor that the handlers have not had.

    In the chain's order, which repairs keep.
    """
    left = Event.objects.pending().filter(block_number__lte=applied_block())
    for event in left.in_order():
        options.tick(1)

        def apply(event: Event = event) -> str:
            with transaction.atomic():
                again = Event.objects.pending().select_for_update(no_key=True).filter(pk=event.pk).first()
                if again is not None:
                    apply_events([again])
            return "given to the handlers"

        subject = f"event {event.pk}"
        yield Finding(subject, f"{event.name} is deep enough, and the handlers have not had it", apply)


def find_early_events(options: RunOptions) -> Iterator[Finding]:
    """Yield events marked as applied above the cursor."""
    early = Event.objects.applied().filter(block_number__gt=applied_block())
    for part in row_chunks(early, options):
        for event in part:
            yield Finding(f"event {event.pk}", f"{event.name} counts as applied above the cursor")


CHECKS = (
    Check("C101", "the archive of events differs from the node", compare_archive, _RESYNC),
    Check("C102", "events below the cursor were not applied", find_unapplied_events),
    Check("C103", "events above the cursor count as applied", find_early_events, _RESYNC),
)


def _differ(on_chain: Said | None, stored: Said | None) -> str:
    if stored is None:
        return f"the node has {on_chain['name'] if on_chain else 'nothing'} here, the archive nothing"
    if on_chain is None:
        return f"the archive has {stored['name']} here, the node nothing"
    differs = [name for name in _FIELDS if stored[name] != on_chain[name]]
    return f"the archive differs from the node in {', '.join(differs)}" if differs else ""


def _ranges(options: RunOptions) -> Iterator[tuple[dict[Place, Said], dict[Place, Said]]]:
    """Range by range, what the node and what the archive say of each place up to the applied block."""
    first, last, size = options.first, applied_block(), settings.CHAIN_BLOCK_RANGE_MAX
    while first <= last:
        end = min(first + size - 1, last, tenure_at(first).last_block or last)
        speaking = domain_at(first)
        try:
            logs = client.logs(first, end)
        except (ChainUnavailable, RpcRefused):
            if size == 1:
                raise
            size = max(size // 2, 1)
            continue
        on_chain = {
            (raw.block_number, raw.log_index): columns for raw in logs if (columns := _told(raw, speaking))
        }
        stored = {
            (event.block_number, event.log_index): {name: getattr(event, name) for name in _FIELDS}
            for event in Event.objects.filter(block_number__range=(first, end)).iterator(chunk_size=1000)
        }
        options.tick(len(on_chain))
        yield on_chain, stored
        first = end + 1


def _told(raw: client.RawLog, speaking: Domain) -> Said | None:
    """Return the archive's columns of a log, worked out anew; None for a log that is no act's event."""
    topics = [bytes.fromhex(topic[2:]) for topic in raw.topics]
    decoded = decode_log_by_abi(topics, bytes.fromhex(raw.data[2:]))
    if decoded is None:
        return None
    name, args = decoded
    kind = ACT_OF_EVENT[name]
    act = PreparedAct(kind, {field: args[field] for field, _ in act_types()[kind].members})
    slot, number = act.slot
    values = (raw.block_hash, raw.tx_hash, name, act.author, act.subject, args, act.digest(speaking))
    return dict(zip(_FIELDS, (*values, slot, number), strict=True))
