"""Who has access to what, as the patient sees it; whom a doctor may look after, as the doctor sees it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, Literal

from django.db.models import Count, Exists, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from accounts.actor import Actor
from accounts.directory import Person, unusable_keys
from accounts.models import Account
from chain.contract.slots import folder_of_scope
from chain.models import Act, Event
from chain.models.bulk import batches, rows_in
from chain.status.freshness import ChainTimes, chain_times
from records import access
from records.access import LiveGrant, narrow, paused_among, slot_of
from records.chain_words import address_row, moment
from records.models import Envelope, Grant, Record, Selection
from records.services.envelopes import read_scopes
from records.services.folders import names_of_folders
from records.services.keyring import Keyring, Shared, keyring_to, load_latest
from records.services.naming import people_named_to
from records.services.states import act_state, states_of
from records.shapes import GrantView, PatientView, ScopeView

ScopeKind = Literal["folder", "record", "selection"]
GrantState = Literal[
    "waiting", "live", "not yet", "paused", "revoked", "given up", "expired", "ended", "failed"
]
Names = dict[tuple[str, str], str]  # by patient and scope
_CURRENT = ("waiting", "live", "not yet", "paused")


def grants_by(*, actor: Actor) -> list[GrantView]:
    """Every grant of this patient, newest first: what waits, what holds, what has ended."""
    rows = {slot_of(row): row for row in Grant.objects.filter(patient=actor.address)}
    acts = _latest_acts(actor.address)
    standing = {slot_of(grant): grant for grant in narrow(Grant.objects.filter(patient=actor.address))}
    scopes = {row.scope for row in rows.values()} | {act.fields["scope"] for act in acts.values()}
    given = [row for row in rows.values() if row.granted_at is not None]
    facts = _Facts(
        people=people_named_to(actor, _parties(given, acts.values())),
        names=_own_names(actor, scopes),
        kinds=scope_kinds(scopes),
        counts=_record_counts(actor.address, scopes),
        paused=paused_among(standing.values()),
        times=chain_times(),
    )
    views = []
    for slot in rows.keys() | acts.keys():
        view = _grant_view(rows.get(slot), acts.get(slot), standing.get(slot), facts)
        if view is not None:
            views.append(view)
    views = _with_unusable_keys(views)
    return sorted(views, key=lambda view: view.granted_at or timezone.now(), reverse=True)


def patients_of(
    *, actor: Actor, patient: str | None = None, opened: bool = True, start: int = 0, end: int | None = None
) -> list[PatientView]:
    """The patients of whom this doctor holds live grants, each with every institution through which.

    By name. Anybody may grant anything to anybody, so without a `patient` only those are listed for whom an
    envelope is here (or none is, with `opened` False).
    """
    held = access.grants_held(actor, patient=patient)
    if patient is None:
        held = held.filter(_has_envelope(actor) if opened else ~_has_envelope(actor))
    ways = [(who, via) for _, who, via in _ways(held)[start:end]]
    patients = {who for who, _ in ways}
    grants = access.as_obeyed(held.filter(patient__in=patients) if end is not None else held)
    people = people_named_to(actor, patients | {via for _, via in ways if via})
    kinds = scope_kinds(grant.scope for grant in grants)
    names = _names_for(actor, grants)
    by_way: dict[tuple[str, str], list[LiveGrant]] = {way: [] for way in ways}
    for grant in grants:
        by_way.get((grant.patient, grant.via), []).append(grant)
    return [_patient_view(actor, way, mine, people, kinds, names) for way, mine in by_way.items() if mine]


def _names_for(actor: Actor, grants: list[LiveGrant]) -> Names:
    """The names of what these grants share, opened by their own envelopes, of all patients at once."""
    scopes = {(grant.patient, grant.scope) for grant in grants}
    if len({patient for patient, _ in scopes}) == 1:
        return _scope_names({grants[0].patient: keyring_to(actor, grants[0].patient)}, scopes)
    read = cache(lambda: read_scopes(actor, scopes))
    given: dict[str, list[LiveGrant]] = {}
    for grant in grants:
        given.setdefault(grant.patient, []).append(grant)
    keyrings = {patient: Keyring(actor, patient, Shared(some, read)) for patient, some in given.items()}
    return _scope_names(keyrings, scopes)


def count_patients(*, actor: Actor, opened: bool = True) -> int:
    """How many lines `patients_of` has."""
    has_envelope = _has_envelope(actor)
    return _ways(access.grants_held(actor).filter(has_envelope if opened else ~has_envelope)).count()


@dataclass(frozen=True)
class _Facts:
    """What the grants of one patient are shown with, read for all of them at once.

    `names`, `kinds` and `counts` (how many records are in it) are by scope; `paused` are institutions.
    """

    people: dict[str, Person]
    names: dict[str, str]
    kinds: dict[str, ScopeKind]
    counts: dict[str, int]
    paused: set[str]
    times: ChainTimes


def scope_kinds(scopes: Iterable[str]) -> dict[str, ScopeKind]:
    """Return what each scope is: a folder, a selection that is known here, or a record."""
    named = set(scopes)
    others = {scope for scope in named if folder_of_scope(scope) is None}
    selections = {row.pk for row in rows_in(Selection.objects.only("pk"), "pk", others)}
    kinds: dict[str, ScopeKind] = dict.fromkeys(named - others, "folder")
    return kinds | {scope: "selection" if scope in selections else "record" for scope in others}


def days_left(until: datetime) -> int:
    """Days until then, begun ones counted; 0 when it is past."""
    left = until - timezone.now()
    return max(0, -(-int(left.total_seconds()) // 86400))


def _has_envelope(actor: Actor) -> Exists:
    """Whether an envelope of the grant's scope is here that this actor may have a key to."""
    return Exists(
        Envelope.objects.filter(
            list__patient=OuterRef("patient"),
            list__scope=OuterRef("scope"),
            recipient__in=actor.recipients,
            deleted_at=None,
        )
    )


def _ways(grants: QuerySet[Grant]) -> QuerySet[Any, Any]:
    """(patient, via) of these grants, by the patient's name."""
    names = Account.objects.filter(address=OuterRef("patient")).values(name=Lower("user__name"))
    named = grants.annotate(sort_name=Coalesce(Subquery(names[:1]), "patient"))
    ordered = named.order_by("sort_name", "patient", "via").distinct()
    return ordered.values_list("sort_name", "patient", "via")


def _patient_view(
    actor: Actor,
    way: tuple[str, str],
    grants: list[LiveGrant],
    people: dict[str, Person],
    kinds: dict[str, ScopeKind],
    names: Names,
) -> PatientView:
    patient, via = way
    scopes = [
        ScopeView(
            scope=grant.scope,
            kind=kinds[grant.scope],
            name=names[patient, grant.scope],
            write=grant.writes,
            expires_at=grant.expiry,
            days_left=days_left(grant.expiry),
            own=grant.grantee == actor.address,
        )
        for grant in grants
    ]
    last = max(grant.expiry for grant in grants)
    return PatientView(
        address=patient,
        name=people[patient].name,
        via=via,
        via_name=people[via].name if via else "",
        scopes=scopes,
        write=any(grant.writes for grant in grants),
        days_left=days_left(last),
        expires_at=last,
        writable_folders=sorted({grant.folder for grant in grants if grant.writes and grant.folder}),
    )


def _with_unusable_keys(views: list[GrantView]) -> list[GrantView]:
    """Which grants that have not ended are of accounts to whose keys nothing new can be sealed."""
    current = {view.grantee for view in views if view.state in _CURRENT}
    unusable = unusable_keys(current)
    return [
        replace(view, has_unusable_key=view.state in _CURRENT and view.grantee in unusable) for view in views
    ]


def _latest_acts(patient: str) -> dict[str, Act]:
    """Return by slot the newest act on a grant, where the chain has neither it nor anything as new."""
    acts = Act.objects.by(patient).of_kind("GrantAccess", "RevokeAccess").order_by("number", "created_at")
    newest = {act.slot: act for act in acts}
    unconfirmed = {slot: act for slot, act in newest.items() if act.state != "confirmed"}
    events = _newest_numbers(list(unconfirmed))
    return {slot: act for slot, act in unconfirmed.items() if not _is_overtaken(act, events.get(slot, 0))}


def _newest_numbers(slots: list[str]) -> dict[str, int]:
    """Return the highest number that the chain has confirmed, by slot; whoever sent it."""
    numbers: dict[str, int] = {}
    for some in batches(slots):
        events = Event.objects.applied().filter(slot__in=some).order_by().values("slot")
        numbers |= dict(events.annotate(last=Max("number")).values_list("slot", "last"))
    return numbers


def _is_overtaken(act: Act, confirmed: int) -> bool:
    """Whether another word counts instead. A revoke that was accepted ends what has its own number, too."""
    return confirmed >= act.number if act.kind == "GrantAccess" else confirmed > act.number


def _parties(rows: Iterable[Grant], acts: Iterable[Act]) -> set[str]:
    found = {address for row in rows for address in (row.patient, row.grantee, row.via)}
    for act in acts:
        found |= {act.author, act.fields["grantee"], address_row(act.fields["via"])}
    return found - {""}


def _grant_view(
    row: Grant | None,
    act: Act | None,
    standing: LiveGrant | None,
    facts: _Facts,
) -> GrantView | None:
    if act is not None and act.kind == "GrantAccess":
        return _waiting_view(act, facts)
    if row is None or row.granted_at is None or row.not_before is None or row.expiry is None:
        return None
    return GrantView(
        patient=row.patient,
        grantee=row.grantee,
        grantee_name=facts.people[row.grantee].name,
        via=row.via,
        via_name=facts.people[row.via].name if row.via else "",
        scope=row.scope,
        scope_kind=facts.kinds[row.scope],
        scope_name=facts.names[row.scope],
        record_count=facts.counts[row.scope],
        write=bool(row.permissions & 2),
        not_before=row.not_before,
        expires_at=row.expiry,
        days_left=days_left(row.expiry) if standing else 0,
        state=_state(row, act, standing, facts),
        granted_at=row.granted_at,
        act=str(act.pk) if act else "",
        request=row.request,
        affiliated=standing is not None,
    )


def _state(row: Grant, act: Act | None, standing: LiveGrant | None, facts: _Facts) -> GrantState:
    if act is not None or row.ended == Grant.Ended.REVOKED:
        return "revoked"
    if row.ended == Grant.Ended.GIVEN_UP:
        return "given up"
    if row.expiry is not None and row.expiry <= facts.times.latest:
        return "expired"
    if standing is None:
        return "ended"
    if standing.not_before > facts.times.earliest:
        return "not yet"
    return "paused" if standing.via in facts.paused else "live"


def _waiting_view(act: Act, facts: _Facts) -> GrantView:
    fields = act.fields
    via, until = address_row(fields["via"]), moment(fields["expiry"])
    return GrantView(
        patient=act.author,
        grantee=fields["grantee"],
        grantee_name=facts.people[fields["grantee"]].name,
        via=via,
        via_name=facts.people[via].name if via else "",
        scope=fields["scope"],
        scope_kind=facts.kinds[fields["scope"]],
        scope_name=facts.names[fields["scope"]],
        record_count=facts.counts[fields["scope"]],
        write=bool(fields["permissions"] & 2),
        not_before=moment(fields["notBefore"]),
        expires_at=until,
        days_left=days_left(until),
        state="waiting" if act_state(act) == "waiting" else "failed",
        granted_at=None,
        act=str(act.pk),
        request=fields["request"],
    )


def _record_counts(patient: str, scopes: Iterable[str]) -> dict[str, int]:
    """How many records each scope has: a folder now, a selection since it was made."""
    counted = Record.objects.filter(patient=patient).order_by().values("folder").annotate(count=Count("pk"))
    in_folders = dict(counted.values_list("folder", "count"))
    sizes = _selection_sizes(scope for scope in scopes if folder_of_scope(scope) is None)
    return {
        scope: sizes.get(scope) or 1 if folder is None else in_folders.get(folder, 0)
        for scope in scopes
        for folder in [folder_of_scope(scope)]
    }


def _own_names(actor: Actor, scopes: set[str]) -> dict[str, str]:
    patient = actor.address
    keyrings = {patient: keyring_to(actor, patient)}
    names = _scope_names(keyrings, {(patient, scope) for scope in scopes})
    return {scope: name for (_, scope), name in names.items()}


def _scope_names(keyrings: dict[str, Keyring], scopes: set[tuple[str, str]]) -> Names:
    """Words for patients' scopes: a folder's name, a record's title, how many records a selection has."""
    folders = {(patient, scope): folder_of_scope(scope) for patient, scope in scopes}
    numbers = {(place[0], number) for place, number in folders.items() if number is not None}
    named = names_of_folders(keyrings, numbers)
    names = {place: named[place[0], number] for place, number in folders.items() if number is not None}
    others = scopes - names.keys()
    rows = rows_in(Record.objects.filter(patient__in=keyrings), "pk", {scope for _, scope in others})
    states = [state for state in states_of(rows).values() if (state.patient, state.record) in others]
    load_latest(keyrings, states)
    for state in states:
        opened = keyrings[state.patient].open_latest(state)
        names[state.patient, state.record] = opened.description.title if opened else "A record"
    counts = _selection_sizes(scope for _, scope in scopes - names.keys())
    for place in scopes - names.keys():
        count = counts.get(place[1], 0)
        names[place] = f"A selection of {count} records" if count != 1 else "A selection of 1 record"
    return names


def _selection_sizes(selections: Iterable[str]) -> dict[str, int]:
    """How many records each selection has."""
    sizes: dict[str, int] = {}
    for some in batches(selections):
        sized = Selection.objects.filter(pk__in=some).annotate(size=Count("records"))
        sizes |= dict(sized.values_list("pk", "size"))
    return sizes
