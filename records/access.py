"""Who may read and write what: the one place that answers, for one object and for all.

The portal's answer is the confirmed projection, less what narrows it at the head of the chain, less what
every accepted revoke takes, even one that later failed. Both kinds of question are the same query, so they
cannot disagree; no policy means no.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Affiliation
from accounts.services.directory import is_admitted, is_affiliated
from chain.models import Act, Event
from chain.slots import slot_giveup, slot_grant
from records.chain_words import address_field, moment
from records.models import Grant, Record, SelectionRecord

READ, WRITE = 1, 2
NARROWING = ("AccessRevoked", "AccessGivenUp", "AccessGranted")


@dataclass(frozen=True)
class LiveGrant:
    """A grant that holds now. `via` is "" for a person's own; `permissions` has bits READ and WRITE."""

    patient: str
    grantee: str
    via: str
    scope: str
    permissions: int
    expiry: datetime
    not_before: datetime
    serial: int
    epoch: int
    envelopes: str

    @property
    def folder(self) -> int | None:
        """The folder's number, when the scope is a folder."""
        number = int(self.scope, 16)
        return number if number < 2**16 else None

    @property
    def writes(self) -> bool:
        """Whether it allows writing."""
        return bool(self.permissions & WRITE)


def can_read(actor: Actor | None, record: str) -> bool:
    """Whether the actor may open this (confirmed) record now."""
    return readable_by(actor).filter(pk=record).exists()


def can_write(actor: Actor | None, record: str) -> bool:
    """Whether the actor may add a version to this (confirmed) record now."""
    return writable_by(actor).filter(pk=record).exists()


def can_write_folder(actor: Actor | None, *, patient: str, folder: int, via: str = "") -> bool:
    """Whether the actor may add records to this folder now, through `via`."""
    if actor is None or folder < 1:
        return False
    if actor.address == patient:
        return True
    grants = live_grants(actor, patient=patient, via=via)
    return any(grant.writes and grant.folder == folder for grant in grants)


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
    if actor is None:
        return []
    now = timezone.now()
    held = Grant.objects.filter(held_by(actor), ended="", not_before__lte=now, expiry__gt=now)
    if patient is not None:
        held = held.filter(patient=patient)
    if via is not None:
        held = held.filter(via=via)
    narrowed = narrow(held)
    through = {at: is_affiliated(at, actor.address) for at in {grant.via for grant in narrowed if grant.via}}
    return [
        grant
        for grant in narrowed
        if (not grant.via or through[grant.via] or grant.via == actor.address)
        and grant.permissions & READ
        and grant.not_before <= now < grant.expiry
    ]


def standing_grants(patient: str, scope: str | None = None) -> list[LiveGrant]:
    """A patient's grants that have not ended: live, not yet begun, or paused by a suspension."""
    given = Grant.objects.filter(patient=patient, ended="", expiry__gt=timezone.now())
    if scope is not None:
        given = given.filter(scope=scope)
    return narrow(given)


def narrow(grants: Iterable[Grant]) -> list[LiveGrant]:
    """Drop grants ended at the head, by an accepted revoke or a changed affiliation; cut down the rest."""
    rows = list(grants)
    if not rows:
        return []
    slots = {slot_of(row): row for row in rows}
    ended = _accepted_endings(slots)
    events = _narrowing_events(slots)
    serials = _affiliation_serials(rows)
    standing = []
    for slot, row in slots.items():
        if ended.get(slot, -1) >= row.serial:
            continue
        if (
            row.via
            and row.via != row.grantee
            and serials.get((row.via, row.grantee)) != row.affiliation_serial
        ):
            continue
        grant: LiveGrant | None = _live(row)
        for event in events.get(slot, []):
            grant = _cut(grant, event) if grant else None
        if grant is not None:
            standing.append(grant)
    return standing


def is_paused(grant: LiveGrant) -> bool:
    """Whether a suspension of the institution pauses this grant."""
    return bool(grant.via) and not is_admitted(grant.via)


def slot_of(grant: Grant | LiveGrant) -> str:
    """The outbox's slot of this grant."""
    return slot_grant(grant.patient, grant.grantee, address_field(grant.via), grant.scope)


def _records(
    actor: Actor | None, *, patient: str | None, via: str | None, permission: int
) -> QuerySet[Record]:
    if actor is None:
        return Record.objects.none()
    allowed = Q(pk__in=[])
    if via is None or not via:
        allowed |= Q(patient=actor.address)
    grants = [
        grant for grant in live_grants(actor, patient=patient, via=via) if grant.permissions & permission
    ]
    folders = {(grant.patient, grant.folder) for grant in grants if grant.folder}
    for owner in {grant.patient for grant in grants}:
        numbers = [number for whose, number in folders if whose == owner]
        scopes = [grant.scope for grant in grants if grant.patient == owner and grant.folder is None]
        moved = _moved_away(owner, numbers)
        allowed |= Q(patient=owner, folder__in=numbers) & ~Q(pk__in=moved)
        allowed |= Q(patient=owner, pk__in=scopes)
        if permission == READ:
            selected = SelectionRecord.objects.filter(selection__in=scopes, selection__patient=owner)
            allowed |= Q(patient=owner, pk__in=selected.values("record"))
    found = Record.objects.filter(allowed)
    return found if patient is None else found.filter(patient=patient)


def held_by(actor: Actor) -> Q:
    """The grants, of whatever state, that are the actor's own or its institutions'."""
    own = Q(grantee=actor.address)
    places = Affiliation.objects.filter(doctor=actor.address, affiliated=True).values_list("institution")
    for (place,) in places:
        own |= Q(grantee=place, via=place)
    return own


def _live(row: Grant) -> LiveGrant:
    if row.not_before is None or row.expiry is None:
        raise ValueError("a grant that has not ended has its times")
    return LiveGrant(
        patient=row.patient,
        grantee=row.grantee,
        via=row.via,
        scope=row.scope,
        permissions=row.permissions,
        expiry=row.expiry,
        not_before=row.not_before,
        serial=row.serial,
        epoch=row.epoch,
        envelopes=row.envelopes,
    )


def _cut(grant: LiveGrant, event: Event) -> LiveGrant | None:
    if event.number < grant.serial:
        return grant
    if event.name != "AccessGranted":
        return None
    return replace(
        grant,
        permissions=grant.permissions & event.args["permissions"],
        not_before=max(grant.not_before, moment(event.args["notBefore"])),
        expiry=min(grant.expiry, moment(event.args["expiry"])),
    )


def _giveup_slots(rows: dict[str, Grant]) -> dict[str, str]:
    return {
        slot_giveup(row.patient, row.grantee, address_field(row.via), row.scope): slot
        for slot, row in rows.items()
    }


def _accepted_endings(rows: dict[str, Grant]) -> dict[str, int]:
    """By slot, the highest serial that an accepted revoke or giving up takes away, whatever became of it."""
    given_up = _giveup_slots(rows)
    acts = Act.objects.filter(
        Q(kind="RevokeAccess", slot__in=list(rows)) | Q(kind="GiveUpAccess", slot__in=list(given_up))
    )
    ended: dict[str, int] = {}
    for slot, number in acts.values_list("slot", "number"):
        slot = given_up.get(slot, slot)
        ended[slot] = max(ended.get(slot, -1), number)
    return ended


def _narrowing_events(rows: dict[str, Grant]) -> dict[str, list[Event]]:
    """By slot, what has been seen at the head and is not deep enough to be in the projection."""
    given_up = _giveup_slots(rows)
    found = Event.objects.pending().named(*NARROWING).filter(slot__in=[*rows, *given_up])
    events: dict[str, list[Event]] = {}
    for event in found.in_order():
        events.setdefault(given_up.get(event.slot, event.slot), []).append(event)
    return events


def _affiliation_serials(rows: Iterable[Grant]) -> dict[tuple[str, str], int]:
    vias = {row.via for row in rows if row.via}
    found = Affiliation.objects.filter(institution__in=vias, affiliated=True)
    return {(row.institution, row.doctor): row.serial for row in found}


def _moved_away(patient: str, folders: list[int]) -> list[str]:
    moves = Event.objects.pending().named("RecordModified").about(patient).in_order()
    leaving = {event["record"]: event["folder"] for event in moves}
    waiting = Act.objects.waiting().by(patient).of_kind("ModifyRecord")
    leaving.update(
        {fields["record"]: fields["folder"] for fields in waiting.values_list("fields", flat=True)}
    )
    return [record for record, folder in leaving.items() if folder not in folders]
