"""Which life of the database this is. A restore from a backup is noticed here, and begins another.

Counters that guard against using a secret twice (a folder's epochs, serials) stand in tables, and go back
with them. So each is bound to a life, and skips what an earlier life may have used and forgotten. What tells
lives apart is not in the database alone: each machine keeps how far it has seen the database come
(chain.restore.witness). A database behind that was restored. Where a machine has seen nothing, or a copy of
its folder came back, nobody knows, and another life begins as well.
"""

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q

from chain.models import Cursor, Incarnation
from chain.registry import announce_restore
from chain.restore.witness import Seen, alone, read_witness, write_witness
from chain.support.shared_clock import SharedNow

logger = logging.getLogger(__name__)

Reason = Incarnation.Reason
ALIVE_FOR = timedelta(seconds=30)  # since another machine was sure of this database
BEAT = 5.0  # seconds between two advances of a worker
KEPT = 1.0  # seconds that `recent` answers without looking


@dataclass
class _Memory:
    """What this process knows: whether this machine has joined, and what `recent` answers."""

    joined: str = ""
    recent: Incarnation | None = None
    looked: float = 0.0
    beat: float = float("-inf")


_memory: dict[str, _Memory] = {}


def current() -> Incarnation:
    """Return the life in force, after comparing the database with what this machine has seen of it."""
    row, seen, memory = Incarnation.objects.first(), read_witness(), _remember()
    if row is None or _reason_to_begin(row, seen, joined=memory.joined) is not None:
        row = _begin_if_needed(memory)
    elif memory.joined != row.key or seen is None:
        memory.joined = row.key
        _note(row)
    memory.recent, memory.looked = row, time.monotonic()
    return row


def recent() -> Incarnation:
    """Return the life in force, as this process knew it within the last second."""
    memory = _remember()
    if memory.recent is None or time.monotonic() - memory.looked > KEPT:
        return current()
    return memory.recent


def advance() -> Incarnation:
    """Note, in the database and outside it, that something is done that a restore would forget.

    Outside any long transaction: all who note wait for each other.
    """
    row = current()
    own_row = Incarnation.objects.filter(pk=row.pk)
    own_row.update(tick=F("tick") + 1, beat_tick=SharedNow())
    row.tick = own_row.values_list("tick", flat=True).get()
    _note(row)
    return row


def beat() -> None:
    """Advance every few seconds, so that a backup is soon behind what this machine has seen."""
    memory = _remember()
    if time.monotonic() - memory.beat >= BEAT:
        memory.beat = time.monotonic()
        advance()


def begin_restored(*, read_block: int | None = None) -> Incarnation:
    """Begin another life, as somebody has found out that the database was restored.

    `read_block`: up to which block the database knew the chain before, where more was read since.
    """
    with alone("joining"):
        row = _begin(Reason.RESTORED, Incarnation.objects.first(), read_witness())
        if read_block is not None:
            Incarnation.objects.filter(pk=row.pk).update(read_block=read_block)
        _remember().joined = row.key
        _note(row)
    forget()
    return row


def forget() -> None:
    """Look again the next time `recent` is asked."""
    _remember().recent = None


def unsettled_restore() -> Incarnation | None:
    """Return the last restore, if the work that it asks for is not done yet."""
    return Incarnation.objects.filter(reason=Reason.RESTORED, settled_at=None).first()


def _reason_to_begin(row: Incarnation | None, seen: Seen | None, *, joined: str) -> Incarnation.Reason | None:
    """Why another life begins; None where the database is the one that this machine knows."""
    if row is None:
        return Reason.FIRST if seen is None else Reason.RESTORED
    if seen is None:
        return None if row.key == joined or _is_alive(row) else Reason.UNKNOWN
    if seen.key == row.key:
        if seen.tick > row.tick:
            return Reason.RESTORED
        return Reason.UNKNOWN if seen.copied and row.key != joined else None
    if Incarnation.objects.filter(key=seen.key).exists():
        return None  # another machine has begun this life since
    return Reason.RESTORED


def _begin_if_needed(memory: _Memory) -> Incarnation:
    """Look again, with no other process of this machine at the same, and begin another life if one has to."""
    with alone("joining"):
        row, seen = Incarnation.objects.first(), read_witness()
        reason = _reason_to_begin(row, seen, joined=memory.joined)
        if reason is not None or row is None:
            row = _begin(reason or Reason.FIRST, row, seen)
        memory.joined = row.key
        _note(row)
    return row


def _is_alive(row: Incarnation) -> bool:
    """Return whether another machine works on this database now: then this one has only just come to it.

    A file of SQLite has one machine. Its witness was lost.
    """
    if connection.vendor == "sqlite":
        return False
    lately = Q(beat_tick__gt=SharedNow(-ALIVE_FOR), beat_tick__lte=SharedNow())
    return Incarnation.objects.filter(lately, pk=row.pk).exists()


def _begin(reason: Incarnation.Reason, before: Incarnation | None, seen: Seen | None) -> Incarnation:
    """Make the row, or take the one that another process has just made."""
    last = max(before.number if before else 0, seen.number if seen else 0)
    try:
        with transaction.atomic():
            row = Incarnation.objects.create(
                number=last + 1,
                key=secrets.token_hex(16),
                reason=reason,
                read_block=Cursor.objects.values_list("applied", flat=True).first(),
            )
            Incarnation.objects.filter(pk=row.pk).update(beat_tick=SharedNow())
            if reason == Reason.RESTORED:
                announce_restore()
    except IntegrityError:
        return Incarnation.objects.latest("number")
    if reason != Reason.FIRST:
        logger.warning("Life %d of the database begins: %s.", row.number, reason.label)
    return row


def _note(row: Incarnation) -> None:
    """Keep it outside the database, once it is certain inside."""
    seen = Seen(row.number, row.key, row.tick)

    def write() -> None:
        try:
            write_witness(seen)
        except OSError as error:  # a full disk: the next one will be noted
            logger.warning("VAR/witness cannot be written: %s", error)

    transaction.on_commit(write)


def _remember() -> _Memory:
    """Return what this process knows of the database in use: tests and commands may change which it is."""
    place = f"{settings.VAR} {connection.settings_dict['NAME']}"
    return _memory.setdefault(place, _Memory())
