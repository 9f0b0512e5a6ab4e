"""Whether this portal knows what the chain says now, and what time it is there.

Who may read what follows from rows that a worker keeps up with the chain. Where that worker stands still, or
a backup was put back, they say what was true once. So nobody reads what somebody else shared unless the chain
was read to its head since this process started, and a moment ago. After a restore, lost acts that ended
access are accepted again first.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.signals import request_finished, request_started
from django.db import connection
from django.db.models import Exists
from django.utils import timezone

from chain.errors import ChainNotRead
from chain.models import Cursor, Incarnation
from chain.support.shared_clock import SharedNow, is_within, machine_tick, ticks

MOST_AGE = timedelta(seconds=10)  # of a reading that access is decided by
PATIENCE = timedelta(seconds=3)  # that a request waits for a reading which should come
_SHOULD_COME = timedelta(seconds=20)  # since this process started, or since the last reading
_LOOK_EVERY = 0.2  # seconds
_STARTED = machine_tick()


@dataclass(frozen=True)
class Reading:
    """The last whole reading of the chain, as this process sees it. Its ticks are of this machine's clock."""

    began: int | None
    head_time: datetime | None
    head_seen: int | None  # None where it is not known when the newest block was new
    misses_ends: bool = False  # a restore forgot acts that end access, and they are not accepted again yet

    @property
    def is_fresh(self) -> bool:
        """Return whether it began after this process did, and a moment ago, and misses no end of access."""
        return not self.misses_ends and self.is_recent

    @property
    def is_recent(self) -> bool:
        """Return whether it began after this process did, and a moment ago."""
        now = machine_tick()
        return is_within(self.began, MOST_AGE, now) and self.began is not None and self.began > _STARTED


@dataclass(frozen=True)
class ChainTimes:
    """The time that it is for this portal and for the contract: no earlier and no later than these.

    `mined`: what the newest block says. By that an act is tried before it is sent.
    """

    earliest: datetime
    latest: datetime
    mined: datetime | None


class _OfRequest(threading.local):
    """What a request has asked for already; only while one is answered."""

    answers = False
    reading: Reading | None = None


_request = _OfRequest()


def require_fresh() -> ChainTimes:
    """Return the time that it is, if the chain is known; wait a moment for a reading that should come.

    Raises ChainNotRead. A request asks the database once.
    """
    reading = _request.reading
    if reading is None or not reading.is_fresh:
        reading = last_reading()
    until = machine_tick() + ticks(PATIENCE)
    while not reading.is_fresh:
        if machine_tick() > until or not _should_come(reading):
            raise ChainNotRead
        time.sleep(_LOOK_EVERY)
        reading = last_reading()
    return _times(reading)


def chain_times() -> ChainTimes:
    """Return the bounds of the time that it is now, for the portal and for the contract."""
    return _times(_request.reading or last_reading())


def _times(reading: Reading) -> ChainTimes:
    now = timezone.now()
    if reading.head_time is None or reading.head_seen is None:
        return ChainTimes(now, now, reading.head_time)
    chain_time = reading.head_time + timedelta(milliseconds=machine_tick() - reading.head_seen)
    return ChainTimes(min(now, chain_time), max(now, chain_time), reading.head_time)


def last_reading() -> Reading:
    """Return the last whole reading, from the database."""
    restores = Incarnation.objects.filter(reason=Incarnation.Reason.RESTORED, settled_at=None)
    cursor = Cursor.objects.annotate(
        tick=SharedNow(), misses_ends=Exists(restores.filter(ends_accepted_at=None))
    )
    row = cursor.values_list("read_tick", "head_time", "head_tick", "tick", "misses_ends").first()
    if row is None:
        return _keep(Reading(None, None, None))
    began, head_time, head_tick, now, misses_ends = row
    behind = machine_tick() - now  # this machine's clock, less the shared one
    if began is None or began > now:
        return _keep(Reading(None, head_time, None, misses_ends))  # of a clock that is gone
    seen = None if head_tick is None or head_tick > now else head_tick + behind
    return _keep(Reading(began + behind, head_time, seen, misses_ends))


def _keep(reading: Reading) -> Reading:
    if _request.answers:
        _request.reading = reading
    return reading


def _should_come(reading: Reading) -> bool:
    """Return whether a reading is due any moment.

    Inside a transaction it could not be seen, or not be written.
    """
    if connection.in_atomic_block:
        return False
    now = machine_tick()
    return is_within(_STARTED, _SHOULD_COME, now) or is_within(reading.began, _SHOULD_COME, now)


def _begin_request(**_: object) -> None:
    _request.answers, _request.reading = True, None


def _end_request(**_: object) -> None:
    _request.answers, _request.reading = False, None


request_started.connect(_begin_request, dispatch_uid="chain.status.freshness")
request_finished.connect(_end_request, dispatch_uid="chain.status.freshness")
