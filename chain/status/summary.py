"""How the chain is, from the database alone: cheap enough for every page."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, Q, QuerySet, Subquery

from chain.models import Cursor, Sender
from chain.support.shared_clock import SharedNow, is_within

_SILENT_AFTER = timedelta(seconds=20)
SILENT_KEY_AFTER = timedelta(seconds=60)  # the relayer looks every second


@dataclass(frozen=True)
class ChainStatus:
    """What a page or a monitor wants to know. `paused_reason` is empty while acts are sent."""

    reachable: bool
    head: int
    indexed: int
    paused_reason: str


def chain_status() -> ChainStatus:
    """Return the state of sending and reading now."""
    cursor = Cursor.objects.annotate(
        tick=SharedNow(), sends=Exists(_sending()), reason=Subquery(_paused()[:1])
    ).first()
    if cursor is None:
        paused = "" if _sending().exists() else _paused().first()
        return ChainStatus(reachable=False, head=0, indexed=0, paused_reason=paused or "")
    paused = "" if cursor.sends else cursor.reason
    return ChainStatus(
        reachable=not cursor.error and is_within(cursor.heard_tick, _SILENT_AFTER, cursor.tick),
        head=cursor.head,
        indexed=cursor.applied,
        paused_reason=paused or cursor.error,
    )


def _sending() -> QuerySet[Sender]:
    """Return the relayer keys in use, by their lease, which is taken at every run. One of them is enough."""
    return Sender.objects.filter(ran_lately(), paused_reason="", held=False)


def _paused() -> QuerySet[Sender, str]:
    """Return why relayer keys wait, the one that ran last first."""
    waiting = Sender.objects.exclude(paused_reason="").order_by("-leased_until")
    return waiting.values_list("paused_reason", flat=True)


def ran_lately() -> Q:
    """Match the keys that the relayer runs with, or ran with a moment ago."""
    return Q(
        lease_tick__gte=SharedNow(-SILENT_KEY_AFTER),
        lease_tick__lte=SharedNow(SILENT_KEY_AFTER),  # a lease ends a little ahead
    )
