"""Who may read and write what: the one place that answers, for one object and for all.

The portal's answer is the confirmed projection, less what narrows it at the head of the chain, less what
every accepted revoke takes, even one that later failed. Both kinds of question are the same query, so they
cannot disagree; no policy means no. No row makes its text longer: strangers write as many as they like.
"""

from typing import Any

from django.db.models import CharField, Exists, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Affiliation
from accounts.services.directory import is_admitted, places_of
from chain.contract.slots import folder_scope
from chain.models import Act, Event
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


def can_read(actor: Actor | None, record: str) -> bool:
    """Whether the actor may open this (confirmed) record now."""
    return _holds(actor, record, READ)


def can_write(actor: Actor | None, record: str) -> bool:
    """Whether the actor may add a version to this (confirmed) record now."""
    return _holds(actor, record, WRITE)


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
    return _records(actor, patient=patient, via=via, permission=WRITE).filter(closed=0)


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


def is_paused(grant: LiveGrant) -> bool:
    """Whether a suspension of the institution pauses this grant."""
    return bool(grant.via) and not is_admitted(grant.via)


def held_by(actor: Actor) -> Q:
    """The grants, of whatever state, that are the actor's own or its institutions'."""
    places = Affiliation.objects.filter(doctor=actor.address, affiliated=True).values("institution")
    return Q(grantee=actor.address) | Q(via=F("grantee"), grantee__in=places)


def _holds(actor: Actor | None, record: str, permission: int) -> bool:
    """Ask from the record: only what its own patient has granted can open it."""
    owner = Record.objects.filter(pk=record).values_list("patient", flat=True).first()
    if owner is None:
        return False
    records = _records(actor, patient=owner, via=None, permission=permission)
    return (records if permission == READ else records.filter(closed=0)).filter(pk=record).exists()


def _grants_of(actor: Actor, permission: int, *, patient: str | None, via: str | None) -> QuerySet[Grant]:
    """The grants to the actor or to an institution that it belongs to now, which allow this now.

    The one place through which anybody but the patient reads. Raises ChainNotRead while what the chain says
    is not known here: an empty list would say that nothing is shared.
    """
    times = require_fresh()
    ways = [actor.address, *places_of(actor.address)]
    grants = Grant.objects.filter(grantee__in=ways, via__in=["", *ways])
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
    own = Q(patient=actor.address) if not via else Q(pk__in=[])
    if actor.address == patient:
        return records.filter(own)
    granted = _places(_grants_of(actor, permission, patient=patient, via=via))
    allowed = own | Q(here__in=granted, there__in=granted) | Q(itself__in=granted)
    if permission == READ:
        chosen = SelectionRecord.objects.alias(place=Concat("selection__patient", "selection"))
        chosen = chosen.filter(record=OuterRef("pk"), selection__patient=OuterRef("patient"))
        allowed |= Q(Exists(chosen.filter(place__in=granted)))
    return records.alias(
        here=_folder_place(F("folder")), there=_folder_place(_destination()), itself=Concat("patient", "pk")
    ).filter(allowed)


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
