"""How far reading is behind the chain, from the database alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from chain.models import Block, Cursor

_SILENT_AFTER = timedelta(seconds=20)  # the indexer says every five that it lives


@dataclass(frozen=True)
class Lag:
    """`blocks` deep enough and not yet read; `seconds` since the first of them, or since the node was last
    heard. `error` is why the chain is not read now."""

    head: int
    indexed: int
    blocks: int
    seconds: float
    checked_at: datetime | None
    error: str

    @property
    def silent(self) -> bool:
        """Nothing was heard from the chain for longer than reading needs."""
        return self.checked_at is None or timezone.now() - self.checked_at > _SILENT_AFTER


def measure_lag() -> Lag:
    """The lag now; of an indexer that never ran, nothing is known."""
    cursor = Cursor.objects.first()
    if cursor is None:
        return Lag(0, 0, 0, 0.0, None, "")
    deep = cursor.head - settings.CHAIN_CONFIRMATIONS + 1
    blocks = max(deep - cursor.applied, 0)
    return Lag(
        head=cursor.head,
        indexed=cursor.applied,
        blocks=blocks,
        seconds=_seconds_behind(cursor, deep if blocks else None),
        checked_at=cursor.checked_at,
        error=cursor.error,
    )


def knows_chain() -> bool:
    """Whether all that the chain says is known here: not while it is read, gone back, or not heard."""
    cursor, lag = Cursor.objects.first(), measure_lag()
    if cursor is None or cursor.behind_since is not None:
        return False
    return not (lag.error or lag.silent or lag.blocks)


def _seconds_behind(cursor: Cursor, deep: int | None) -> float:
    """Since the first block that we know of and should have read, else since the node was last heard."""
    now, since = timezone.now(), None
    if deep is not None:
        unread = Block.objects.filter(number__gt=cursor.applied, number__lte=deep)
        since = unread.order_by("number").values_list("time", flat=True).first()
    heard = cursor.checked_at
    if since is None and heard is not None and (deep is not None or now - heard > _SILENT_AFTER):
        since = heard
    return max((now - since).total_seconds(), 0.0) if since else 0.0
