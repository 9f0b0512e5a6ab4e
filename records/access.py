"""Who may read and write what: the one place that answers, for one object and for all.

The portal's answer is the confirmed projection, less what narrows it at the head of the chain, less what
every accepted revoke takes, even one that later failed. Both kinds of question are the same query, so they
cannot disagree; no policy means no. No row makes its text longer: strangers write as many as they like.
"""

import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from django.db.models import (
    BooleanField,
    CharField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils import timezone

from accounts.actor import Actor
from accounts.directory import admitted_among
from accounts.models import Affiliation
from chain.contract.slots import folder_scope
from chain.models import Act, Event
from chain.models.bulk import batches
from chain.status.freshness import require_fresh
from records.models import Grant, Record, SelectionRecord
from records.standing import READ, WRITE, LiveGrant, as_obeyed, holding, narrow, slot_of, standing

__all__ = ["READ", "WRITE", "LiveGrant", "as_obeyed", "narrow", "slot_of", "standing"]


class FolderScope(Func):
    """A folder's number as the scope of a grant of it: chain.contract.slots.folder_scope in SQL."""

    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """SQLite's printf."""
        template = "printf('0x%%%%064x', %(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """PostgreSQL's to_hex."""
        template = "('0x' || lpad(to_hex(%(expressions)s), 64, '0'))"
        return self.as_sql(compiler, connection, template=template, **context)


class TextList(Func):
    """Texts as one value of a statement, so that its text is the same for one and for a thousand."""

    output_field = CharField()

    def __init__(self, texts: list[str]) -> None:
        super().__init__(Value(json.dumps(texts)))

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """SQLite's json_each."""
        template = "(SELECT value FROM json_each(%(expressions)s))"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """PostgreSQL's json_array_elements_text."""
        template = "(SELECT json_array_elements_text((%(expressions)s)::json))"
        return self.as_sql(compiler, connection, template=template, **context)


class Access:
    """What one actor may do with the records of one patient, each question asked once.

    A request that only reads has one of them per patient (`access_to`), and its services ask that. Whatever
    is decided under a lock makes a new one there. Raises ChainNotRead where others' records are asked for
    while what the chain says is not known here.
    """

    def __init__(self, actor: Actor, patient: str) -> None:
        self.actor = actor
        self.patient = patient
        self.own = actor.address == patient
        self._rights: dict[str, tuple[bool, bool]] = {}

    @cached_property
    def grants(self) -> list[LiveGrant]:
        """The grants that the actor holds of the patient now, as the portal obeys them; none for oneself."""
        return [] if self.own else as_obeyed(grants_held(self.actor, patient=self.patient))

    def grants_through(self, via: str | None) -> list[LiveGrant]:
        """Those through one institution ("" for the actor's own); all, where none is named."""
        return [grant for grant in self.grants if via in (None, grant.via)]

    def readable(self, via: str | None = None) -> list[Record]:
        """The patient's records that the actor may open now, through `via` only, if given."""
        return self._ask(_records(self.actor, patient=self.patient, via=via, permission=READ))

    def can_read(self, record: str) -> bool:
        """Whether the actor may open this record of the patient now; others only a confirmed one."""
        return self.own or self._rights_in(record)[0]

    def can_write(self, record: str) -> bool:
        """Whether the actor may add a version to this (confirmed) record of the patient now."""
        return self._rights_in(record)[1]

    def writable_among(self, records: set[str]) -> set[str]:
        """Those of these records to which the actor may add a version now."""
        for some in batches(records - self._rights.keys()):
            self._ask(self._readable.filter(pk__in=some))
            self._rights |= {record: (False, False) for record in some if record not in self._rights}
        return {record for record in records if self._rights[record][1]}

    @property
    def _readable(self) -> QuerySet[Record]:
        return _records(self.actor, patient=self.patient, via=None, permission=READ)

    def _rights_in(self, record: str) -> tuple[bool, bool]:
        if record not in self._rights and not self._ask(self._readable.filter(pk=record)):
            self._rights[record] = (False, False)
        return self._rights[record]

    def _ask(self, readable: QuerySet[Record]) -> list[Record]:
        """Read these rows, and in the same statement which of them may be written."""
        allowed = _allowed(self.actor, patient=self.patient, via=None, permission=WRITE)
        rows = readable.annotate(is_writable=ExpressionWrapper(allowed, output_field=BooleanField()))
        self._rights |= {row.pk: (True, row.is_writable) for row in rows}
        return list[Record](rows)


def access_to(actor: Actor, patient: str) -> Access:
    """Return what the actor may do with a patient's records, the same for a whole reading request."""
    return actor.once(("access", patient), lambda: Access(actor, patient))


def can_read(actor: Actor | None, record: str) -> bool:
    """Whether the actor may open this (confirmed) record now."""
    access = _access_to_record(actor, record)
    return access is not None and access.can_read(record)


def can_write(actor: Actor | None, record: str) -> bool:
    """Whether the actor may add a version to this (confirmed) record now."""
    access = _access_to_record(actor, record)
    return access is not None and access.can_write(record)


def can_write_folder(actor: Actor | None, *, patient: str, folder: int, via: str = "") -> bool:
    """Whether the actor may add records to this folder now, through `via`."""
    if actor is None or folder < 1:
        return False
    if actor.address == patient:
        return True
    grants = _grants_of(actor, WRITE, patient=patient, via=via)
    return grants.filter(scope=folder_scope(folder)).exists()


def readable_by(
    actor: Actor | None, *, patient: str | None = None, via: str | None = None
) -> QuerySet[Record]:
    """The records that the actor may open now: own ones, and those granted (through `via` only, if given)."""
    return _records(actor, patient=patient, via=via, permission=READ)


def writable_by(
    actor: Actor | None, *, patient: str | None = None, via: str | None = None
) -> QuerySet[Record]:
    """The records that the actor may add a version to now."""
    return _records(actor, patient=patient, via=via, permission=WRITE)


def live_grants(
    actor: Actor | None, *, patient: str | None = None, via: str | None = None
) -> list[LiveGrant]:
    """The grants that the actor holds now, own and through institutions, as the portal obeys them."""
    return as_obeyed(grants_held(actor, patient=patient, via=via))


def grants_held(
    actor: Actor | None, *, patient: str | None = None, via: str | None = None
) -> QuerySet[Grant]:
    """The same, still to be narrowed further. Take the values from `as_obeyed`: newer words may cut them."""
    return Grant.objects.none() if actor is None else _grants_of(actor, READ, patient=patient, via=via)


def standing_grants(patient: str, scope: str | None = None) -> list[LiveGrant]:
    """A patient's grants that have not ended: live, not yet begun, or paused by a suspension."""
    grants = Grant.objects.filter(patient=patient, ended=Grant.Ended.NO, expiry__gt=timezone.now())
    return narrow(grants if scope is None else grants.filter(scope=scope))


def paused_among(grants: Iterable[LiveGrant]) -> set[str]:
    """Return the institutions whose suspension pauses some of these grants."""
    institutions = {grant.via for grant in grants} - {""}
    return institutions - admitted_among(institutions)


def held_by(actor: Actor) -> Q:
    """The grants, of whatever state, that are the actor's own or its institutions'."""
    places = Affiliation.objects.filter(doctor=actor.address, affiliated=True).values("institution")
    return Q(grantee=actor.address) | Q(via=F("grantee"), grantee__in=places)


def _access_to_record(actor: Actor | None, record: str) -> Access | None:
    """Begin at the record: only what its own patient has granted can open it."""
    owner = Record.objects.filter(pk=record).values_list("patient", flat=True).first()
    return None if actor is None or owner is None else access_to(actor, owner)


def _grants_of(actor: Actor, permission: int, *, patient: str | None, via: str | None) -> QuerySet[Grant]:
    """The grants to the actor or to an institution that it belongs to now, which allow this now.

    The one place through which anybody but the patient reads. Raises ChainNotRead while what the chain says
    is not known here: an empty list would say that nothing is shared.
    """
    times = require_fresh()
    ways = [actor.address, *actor.places]
    grants = Grant.objects.filter(grantee__in=TextList(ways), via__in=TextList(["", *ways]))
    grants = grants.filter(Q(grantee=actor.address) | Q(via=F("grantee")))
    if patient is not None:
        grants = grants.filter(patient=patient)
    if via is not None:
        grants = grants.filter(via=via)
    return holding(grants, times, permission)


def _records(
    actor: Actor | None, *, patient: str | None, via: str | None, permission: int
) -> QuerySet[Record]:
    if actor is None:
        return Record.objects.none()
    records = Record.objects.all() if patient is None else Record.objects.filter(patient=patient)
    return _placed(records).filter(_allowed(actor, patient=patient, via=via, permission=permission))


def _allowed(actor: Actor, *, patient: str | None, via: str | None, permission: int) -> Q:
    """The condition under which a record may be read, or written: the one rule for one record and for all."""
    own = Q(patient=actor.address if not via else "")
    if actor.address == patient:
        return own & Q(closed=0) if permission == WRITE else own
    granted = _places(_grants_of(actor, permission, patient=patient, via=via))
    allowed = own | Q(here__in=granted, there__in=granted) | Q(itself__in=granted)
    if permission == WRITE:
        return allowed & Q(closed=0)
    chosen = SelectionRecord.objects.alias(place=Concat("selection__patient", "selection"))
    chosen = chosen.filter(record=OuterRef("pk"), selection__patient=OuterRef("patient"))
    return allowed | Q(Exists(chosen.filter(place__in=granted)))


def _placed(records: QuerySet[Record]) -> QuerySet[Record]:
    """Name what grants may: the folder that a record is in, the one it goes to, and itself."""
    return records.alias(
        here=_folder_place(F("folder")), there=_folder_place(_destination()), itself=Concat("patient", "pk")
    )


def _places(grants: QuerySet[Grant]) -> QuerySet[Any, Any]:
    """Patient and scope of each, in one text: what stands there may be opened. The inbox is never granted."""
    placed = grants.exclude(scope=folder_scope(0)).order_by()
    return placed.annotate(place=Concat("patient", "scope")).values("place")


def _folder_place(folder: F | Coalesce) -> Concat:
    return Concat("patient", FolderScope(folder))


def _destination() -> Coalesce:
    """The folder that a record goes to: by the patient's waiting move, by a move at the head, or its own."""
    slot = Concat(Value("record:"), OuterRef("pk"))
    waiting = Act.objects.waiting().of_kind("ModifyRecord").filter(author=OuterRef("patient"), slot=slot)
    moves = Event.objects.pending().named("RecordModified").filter(subject=OuterRef("patient"), slot=slot)
    accepted = waiting.annotate(to=Cast(KT("fields__folder"), IntegerField())).order_by("-created_at", "-id")
    seen = moves.annotate(to=Cast(KT("args__folder"), IntegerField())).order_by("-block_number", "-log_index")
    return Coalesce(Subquery(accepted.values("to")[:1]), Subquery(seen.values("to")[:1]), F("folder"))
