"""The access history in SQL: looks, events and waiting acts of one patient as one line of time, by cursor.

Every filter stands before every limit. A page takes the same statements for ten rows and ten thousand.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Concat

from chain.contract.abi import ACT_OF_EVENT
from chain.contract.slots import slot_close, slot_record
from chain.models import Act, Event
from records.errors import InvalidInput
from records.models import ViewLog

VIEWS, EVENTS, ACTS = 0, 1, 2
SHARING = (
    "AccessRequested",
    "RequestWithdrawn",
    "AccessDenied",
    "AccessGranted",
    "AccessRevoked",
    "AccessGivenUp",
    "FolderRekeyed",
    "SenderBlocked",
)
CHANGES = ("RecordAdded", "RecordModified", "RecordClosed")
TOPICS = {"": (*SHARING, *CHANGES), "views": (), "sharing": SHARING, "changes": CHANGES}
_FOLDED = ("AccessRequested", "RequestWithdrawn")
_SALT = "access-history"


@dataclass(frozen=True)
class HistoryFilter:
    """Which lines. `fold` makes one line of one viewer's looks at one record, and of one sender's requests.

    `topic` is "" for all, or one of TOPICS. `record` and `agent` are "" for any. Raises InvalidInput.
    """

    topic: str = ""
    record: str = ""
    agent: str = ""
    fold: bool = False

    def __post_init__(self) -> None:
        if self.topic not in TOPICS:
            raise InvalidInput("topic", "Choose views, sharing or changes.")
        if self.record and not re.fullmatch("0x[0-9a-f]{64}", self.record):
            raise InvalidInput("record", "This is not the id of a record.")
        if self.agent and not re.fullmatch("0x[0-9a-fA-F]{40}", self.agent):
            raise InvalidInput("agent", "This is not an address.")


@dataclass(frozen=True)
class HistoryRow:
    """A line before anything of it is named. `count` rows are folded into it, from `oldest_at` on.

    `key` is that of its newest row, in the table that `source` says. `values` are a look's own.
    """

    source: int
    key: int | str
    newest_at: datetime
    oldest_at: datetime
    count: int
    values: dict[str, Any]

    @property
    def cursor(self) -> str:
        """The place of this line, for a reader who wants the older ones. Signed, so nobody makes one up."""
        return signing.dumps([self.newest_at.isoformat(), self.source, self.key], salt=_SALT)


def history_rows(patient: str, chosen: HistoryFilter, cursor: str, size: int) -> list[HistoryRow]:
    """Return up to `size` lines after the cursor's ("" for the newest), newest first. Raises InvalidInput."""
    after = _read_cursor(cursor) if cursor else None
    rows: list[HistoryRow] = []
    for source, lines in enumerate((_views, _events, _acts)):
        placed = lines(patient, chosen).filter(_older(source, after)).order_by("-newest_at", "-key")
        rows += [_row(source, values) for values in placed[:size]]
    # Each source is in order, and a stable sort keeps that.
    return sorted(rows, key=lambda row: (row.newest_at, row.source), reverse=True)[:size]


def _row(source: int, values: dict[str, Any]) -> HistoryRow:
    key, newest_at, oldest_at = values["key"], values["newest_at"], values["oldest_at"]
    return HistoryRow(source, key, newest_at, oldest_at, values["count"], values)


def _read_cursor(cursor: str) -> tuple[datetime, int, int | str]:
    try:
        at, source, key = signing.loads(cursor, salt=_SALT)
    except signing.BadSignature as error:
        raise InvalidInput("cursor", "This page of the history is not to be found. Start anew.") from error
    return datetime.fromisoformat(at), source, key


def _older(source: int, after: tuple[datetime, int, int | str] | None) -> Q:
    """After the cursor, by time, then source, then key, each from the highest down."""
    if after is None:
        return Q()
    at, at_source, key = after
    if source > at_source:
        return Q(newest_at__lt=at)
    same = Q(newest_at=at) if source < at_source else Q(newest_at=at, key__lt=key)
    return Q(newest_at__lt=at) | same


def _views(patient: str, chosen: HistoryFilter) -> QuerySet[Any, Any]:
    looks = ViewLog.objects.filter(patient=patient)
    if chosen.topic not in ("", "views"):
        looks = looks.none()
    if chosen.record:
        looks = looks.filter(record=chosen.record)
    if chosen.agent:
        looks = looks.filter(viewer=chosen.agent)
    named = looks.order_by().values("viewer", "via", "record", "what")
    if not chosen.fold:
        each = _each("at", Cast("id", CharField()))
        return named.annotate(**each, last_position=F("position"), placed=Value(1))
    folded = _folded("at", Max(Cast("id", CharField())))
    return named.annotate(**folded, last_position=Max("position"), placed=Count("position"))


def _events(patient: str, chosen: HistoryFilter) -> QuerySet[Any, Any]:
    told = Event.objects.about(patient).named(*TOPICS[chosen.topic])
    events = _narrowed(told, chosen).order_by()
    if not chosen.fold:
        return events.values(**_each("block_time", F("pk")))
    kept = Cast("pk", CharField())
    group = _group(_FOLDED, "name", KT("args__via"), kept)
    lines: QuerySet[Any, Any] = (
        events.annotate(group=group).values("group").annotate(**_folded("block_time", Max("pk")))
    )
    return lines


def _acts(patient: str, chosen: HistoryFilter) -> QuerySet[Any, Any]:
    """Return acts that the chain has not confirmed, and that no event tells of."""
    kinds = [ACT_OF_EVENT[name] for name in TOPICS[chosen.topic]]
    untold = ~Exists(Event.objects.filter(act_digest=OuterRef("digest")))
    waiting = Act.objects.about(patient).of_kind(*kinds).exclude(state="confirmed").filter(untold)
    acts = _narrowed(waiting, chosen).order_by()
    key = Cast("pk", CharField())
    if not chosen.fold:
        return acts.values(**_each("created_at", key))
    group = _group([ACT_OF_EVENT[name] for name in _FOLDED], "kind", KT("fields__via"), key)
    lines: QuerySet[Any, Any] = (
        acts.annotate(group=group).values("group").annotate(**_folded("created_at", Max(key)))
    )
    return lines


def _narrowed(rows: QuerySet[Any], chosen: HistoryFilter) -> QuerySet[Any]:
    if chosen.record:
        rows = rows.filter(slot__in=[slot_record(chosen.record), slot_close(chosen.record)])
    return rows.filter(author=chosen.agent) if chosen.agent else rows


def _group(folded: Any, name: str, via: Any, key: Any) -> Case:
    """One text for what makes one line: of these names the sender, of others the row itself."""
    sender = Concat(F(name), Value(":"), F("author"), Value(":"), via, output_field=CharField())
    return Case(When(**{f"{name}__in": folded}, then=sender), default=key, output_field=CharField())


def _each(time: str, key: Any) -> dict[str, Any]:
    one = Value(1, output_field=IntegerField())
    return {"newest_at": F(time), "oldest_at": F(time), "count": one, "key": key}


def _folded(time: str, key: Any) -> dict[str, Any]:
    return {"newest_at": Max(time), "oldest_at": Min(time), "count": Count("pk"), "key": key}
