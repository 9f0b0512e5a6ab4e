"""Which grants stand and which hold now, as SQL whose text no row makes longer.

A grant stands from its confirmation until something ends it. What ends or cuts it counts from the head of
the chain, and from the moment the portal accepts it. What gives more counts only once it is confirmed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Concat

from accounts.models import Affiliation
from chain.contract.slots import slot_grant
from chain.models import Act, Event
from chain.status.freshness import ChainTimes
from records.chain_words import ZERO_ADDRESS, address_field, moment
from records.models import Grant

READ, WRITE = 1, 2
TO_BE_MINED = timedelta(minutes=1)  # left of a grant under which something is still accepted


@dataclass(frozen=True)
class LiveGrant:
    """A grant as the portal obeys it. `via` is "" for a person's own. `permissions` has bits READ, WRITE."""

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
        """Return whether it allows writing."""
        return bool(self.permissions & WRITE)


def slot_of(grant: Grant | LiveGrant) -> str:
    """Return the outbox's slot of this grant."""
    return slot_grant(grant.patient, grant.grantee, address_field(grant.via), grant.scope)


def standing(grants: QuerySet[Grant]) -> QuerySet[Grant]:
    """Leave out what has ended: by an accepted revoke, at the head of the chain, by a changed affiliation."""
    placed = grants.alias(slot=_slot("grant"), giveup_slot=_slot("giveup"))
    revokes = Act.objects.of_kind("RevokeAccess").filter(slot=OuterRef("slot"))
    giveups = Act.objects.of_kind("GiveUpAccess").filter(slot=OuterRef("giveup_slot"))
    revoked = Event.objects.pending().named("AccessRevoked").filter(slot=OuterRef("slot"))
    given_up = Event.objects.pending().named("AccessGivenUp").filter(slot=OuterRef("giveup_slot"))
    endings = [Exists(words.filter(number__gte=OuterRef("serial"))) for words in (revokes, giveups)]
    endings += [Exists(words.filter(number__gte=OuterRef("serial"))) for words in (revoked, given_up)]
    affiliations = Affiliation.objects.filter(
        institution=OuterRef("via"),
        doctor=OuterRef("grantee"),
        affiliated=True,
        serial=OuterRef("affiliation_serial"),
    )
    belongs = Q(via="") | Q(via=F("grantee")) | Exists(affiliations)
    return placed.filter(*(~ending for ending in endings), belongs, ended=Grant.Ended.NO)


def holding(grants: QuerySet[Grant], times: ChainTimes, permission: int = READ) -> QuerySet[Grant]:
    """Keep those that stand, have begun, have not run out and allow this. Newer words at the head count.

    They have begun, and not run out, both by this portal's clock and by the chain's. To write, also by the
    newest block, by which an act is tried; and with time left in which an accepted act is mined.
    """
    start, end = _moments(times, permission)
    cuts = _cuts().alias(allowed=Cast(KT("args__permissions"), IntegerField()).bitand(permission))
    ahead, over = Q(args__notBefore__gt=int(start.timestamp())), Q(args__expiry__lte=int(end.timestamp()))
    cut = cuts.filter(Q(allowed=0) | ahead | over)
    begun = standing(grants).filter(not_before__lte=start, expiry__gt=end)
    return begun.alias(allowed=F("permissions").bitand(permission)).exclude(allowed=0).filter(~Exists(cut))


def _moments(times: ChainTimes, permission: int) -> tuple[datetime, datetime]:
    """Return when a grant has to have begun, and until when it has to last."""
    if permission == READ:
        return times.earliest, times.latest
    return min(times.earliest, times.mined or times.earliest), times.latest + TO_BE_MINED


def as_obeyed(grants: QuerySet[Grant]) -> list[LiveGrant]:
    """Return grants that `standing` has kept, each with what newer words at the head leave of it."""
    rows = list(grants.annotate(is_cut=Exists(_cuts())))
    if not any(row.is_cut for row in rows):
        return [_live(row) for row in rows]
    slots = grants.filter(Exists(_cuts())).order_by().annotate(place=F("slot")).values("place")
    words: dict[str, list[Event]] = {}
    for event in Event.objects.pending().named("AccessGranted").filter(slot__in=slots).in_order():
        words.setdefault(event.slot, []).append(event)
    return [_cut(_live(row), words.get(slot_of(row), [])) for row in rows]


def narrow(grants: QuerySet[Grant]) -> list[LiveGrant]:
    """Return those of the grants that stand, each as the portal obeys it."""
    return as_obeyed(standing(grants))


def _slot(topic: str) -> Concat:
    via = Case(When(via="", then=Value(ZERO_ADDRESS)), default=F("via"))
    parts = [F("patient"), F("grantee"), via, F("scope")]
    return Concat(Value(topic), *(piece for part in parts for piece in (Value(":"), part)))


def _cuts() -> QuerySet[Event]:
    """Grants of the same slot that are not deep enough: until then only what they take away counts."""
    words = Event.objects.pending().named("AccessGranted")
    return words.filter(slot=OuterRef("slot"), number__gte=OuterRef("serial"))


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


def _cut(grant: LiveGrant, words: Iterable[Event]) -> LiveGrant:
    for event in words:
        if event.number >= grant.serial:
            grant = replace(
                grant,
                permissions=grant.permissions & event.args["permissions"],
                not_before=max(grant.not_before, moment(event.args["notBefore"])),
                expiry=min(grant.expiry, moment(event.args["expiry"])),
            )
    return grant
