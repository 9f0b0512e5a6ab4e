"""How the chain is, from the database alone: cheap enough for every page."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q

from chain.models import Act, Cursor, Sender
from chain.support.shared_clock import SharedNow, is_within, shared_now

_SILENT_AFTER = timedelta(seconds=20)
SILENT_KEY_AFTER = timedelta(seconds=60)  # the relayer looks every second


@dataclass(frozen=True)
class ChainStatus:
    """What a page or a monitor wants to know. `paused_reason` is empty while acts are sent."""

    reachable: bool
    head: int
    indexed: int
    waiting_acts: int
    paused_reason: str


def chain_status() -> ChainStatus:
    """The state of sending and reading now."""
    cursor = Cursor.objects.first()
    paused = _pause_reason()
    return ChainStatus(
        reachable=cursor is not None and not cursor.error and _is_heard(cursor),
        head=cursor.head if cursor else 0,
        indexed=cursor.applied if cursor else 0,
        waiting_acts=Act.objects.waiting().count(),
        paused_reason=paused or (cursor.error if cursor else ""),
    )


def _is_heard(cursor: Cursor) -> bool:
    return is_within(cursor.heard_tick, _SILENT_AFTER, shared_now())


def _pause_reason() -> str:
    """A relayer key's, unless another one sends: its lease, taken at every run, says that it is in use."""
    if Sender.objects.filter(ran_lately(), paused_reason="", held=False).exists():
        return ""
    waiting = Sender.objects.exclude(paused_reason="").order_by("-leased_until")
    return waiting.values_list("paused_reason", flat=True).first() or ""


def ran_lately() -> Q:
    """Match the keys that the relayer runs with, or ran with a moment ago."""
    return Q(
        lease_tick__gte=SharedNow(-SILENT_KEY_AFTER),
        lease_tick__lte=SharedNow(SILENT_KEY_AFTER),  # a lease ends a little ahead
    )
