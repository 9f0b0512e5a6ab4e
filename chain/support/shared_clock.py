"""One clock for all programs of a portal: leases and freshness go by it, never by a program's own time.

A tick is a millisecond of this clock. On PostgreSQL it is the server's clock. On SQLite all programs run on
one machine, and it is the time since that machine was started. No step of the date touches it, and each start
of the machine has a range of ticks of its own. A tick from the future proves nothing: it counts as old.
"""

import hashlib
import time
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField, Func, Q

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux, random(4)
_BOOTS = 2**20
_BOOT_TICKS = 2**31 * 1000  # 68 years: with 2**20 of these a tick stays below 2**63
_MILLISECOND = timedelta(milliseconds=1)
# It counts while the machine sleeps (clock_gettime(2)), as what was read before then is old afterwards.
_SINCE_BOOT: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SharedNow(Func):
    """The tick now, or `shift` from now, in SQL."""

    output_field = BigIntegerField()

    def __init__(self, shift: timedelta = timedelta()) -> None:
        super().__init__()
        self._shift = ticks(shift)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Return the machine's clock, read when the statement is made."""
        del compiler, connection, context
        return "%s", [machine_tick() + self._shift]

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Return the server's clock, also inside a transaction."""
        del compiler, connection, context
        return "((extract(epoch FROM clock_timestamp()) * 1000)::bigint + %s)", [self._shift]


def shared_now() -> int:
    """Return the tick now. On PostgreSQL this is a statement."""
    if connection.vendor != "postgresql":
        return machine_tick()
    with connection.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        (tick,) = cursor.fetchone()
    return int(tick)


def ticks(span: timedelta) -> int:
    """Return a span of time in ticks."""
    return span // _MILLISECOND


def ended(field: str, longest: timedelta) -> Q:
    """Match rows whose term is over, where the field is the tick of its end.

    A term that ends further ahead than the longest one, `longest`, was set by a clock that is gone.
    """
    return (
        Q(**{field: None}) | Q(**{f"{field}__lte": SharedNow()}) | Q(**{f"{field}__gt": SharedNow(longest)})
    )


def is_within(tick: int | None, span: timedelta, now: int) -> bool:
    """Return whether a tick is at most `span` before `now`. None and the future are not."""
    return tick is not None and 0 <= now - tick <= ticks(span)


def machine_tick() -> int:
    """Return this machine's own tick now."""
    return _boot() * _BOOT_TICKS + time.clock_gettime_ns(_SINCE_BOOT) // 1_000_000


@cache
def _boot() -> int:
    """Return which start of the machine this is: 0 where the system does not say."""
    try:
        boot_id = _BOOT_ID.read_bytes()
    except OSError:
        return 0
    return int.from_bytes(hashlib.sha256(boot_id).digest()[:8]) % _BOOTS
