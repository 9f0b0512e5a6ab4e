"""How far reading is behind the chain, from the database alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from chain.models import Cursor
from chain.support.shared_clock import is_within, shared_now

_SILENT_AFTER = timedelta(seconds=20)  # the indexer says every few seconds that it lives


@dataclass(frozen=True)
class Lag:
    """`blocks` deep enough and not yet read; `seconds` since a reading came to the head, 0 while that is not
    long ago. `silent`: nothing was heard from the chain for longer than reading needs. `error` is why the
    chain is not read now."""

    head: int
    indexed: int
    blocks: int
    seconds: float
    checked_at: datetime | None
    silent: bool
    error: str


def measure_lag() -> Lag:
    """Return the lag now; of an indexer that never ran, nothing is known."""
    cursor = Cursor.objects.first()
    if cursor is None:
        return Lag(0, 0, 0, 0.0, None, True, "")
    now, deep = shared_now(), cursor.head - settings.CHAIN_CONFIRMATIONS + 1
    blocks = max(deep - cursor.applied, 0)
    return Lag(
        head=cursor.head,
        indexed=cursor.applied,
        blocks=blocks,
        seconds=_seconds_behind(cursor, blocks, now),
        checked_at=cursor.checked_at,
        silent=not is_within(cursor.heard_tick, _SILENT_AFTER, now),
        error=cursor.error,
    )


def knows_chain() -> bool:
    """Return whether all that the chain says is known here: not while it is read, gone back, or not heard."""
    cursor, lag = Cursor.objects.first(), measure_lag()
    if cursor is None or cursor.behind_since is not None:
        return False
    return not (lag.error or lag.silent or lag.blocks)


def _seconds_behind(cursor: Cursor, blocks: int, now: int) -> float:
    """Since the chain was read to its head; 0 while that is as it should be."""
    if cursor.read_tick is None or (not blocks and is_within(cursor.read_tick, _SILENT_AFTER, now)):
        return 0.0
    if cursor.read_tick <= now:
        return (now - cursor.read_tick) / 1000
    since = timezone.now() - cursor.checked_at if cursor.checked_at else timedelta()  # a clock that is gone
    return max(since, _SILENT_AFTER).total_seconds()
