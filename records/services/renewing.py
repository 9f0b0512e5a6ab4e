"""Sealing grants of a record or a selection anew: the newest data key, to the grantee's newest key."""

from contextlib import suppress
from dataclasses import dataclass

from django.db import transaction

from accounts.actor import Actor
from accounts.directory import newest_digests
from chain.acts.messages import prepare_act
from chain.models import Act, Event
from chain.outbox.submit import submit_act
from chain.status.freshness import require_fresh
from records.access import LiveGrant, slot_of, standing_grants
from records.chain_words import ZERO_WORD, address_field, raw, word
from records.crypto.envelopes import Purpose
from records.crypto.payloads import RecordPayload, SelectionPayload
from records.errors import StoreDown
from records.models import Grant, Record, Selection, SelectionRecord
from records.services.envelopes import (
    ListAbout,
    about_scope,
    end_envelopes,
    keep_list,
    open_listed,
    reachable_keys,
    seal_list,
    shared_envelopes,
)
from records.services.keyring import Keyring
from records.services.rekeying import UNKNOWN_TERMS
from records.services.states import state_of, states_of

RENEW = "renew-record-grants"


@dataclass(frozen=True)
class _Fresh:
    """What a grant's envelope should hold, and whether the patient's own holds just that."""

    payload: bytes
    kept: bool


def renew_scope(actor: Actor, scope: str) -> bool:
    """Seal the patient's grants of a record or selection anew where their envelopes are out of date.

    True when there is nothing left to do; False while a data key or an act is waited for. A grantee without a
    key that can be used is left out, until there is one.
    Raises ChainDown, ChainNotRead, Conflict, VaultClosed.
    """
    require_fresh()  # nobody is sealed a key whose grant has ended
    done = True
    grants = standing_grants(actor.address, scope)
    reachable = newest_digests(grant.grantee for grant in grants)
    for grant in grants:
        if grant.grantee not in reachable:
            continue
        about = about_scope(actor.address, scope, 0)
        fresh = (
            _record(actor, grant, about)
            if about.purpose == Purpose.RECORD
            else _selection(actor, grant, about)
        )
        if fresh is None:
            done = False
        elif not (fresh.kept and is_sealed(grant)):
            done &= _seal(actor, grant, about, fresh.payload)
    return done


def is_sealed(grant: LiveGrant) -> bool:
    """Whether the grant's list has an envelope for its grantee that can be found, under the newest key."""
    shared = shared_envelopes(patient=grant.patient, scope=grant.scope, recipient=grant.grantee)
    sealed_to = set(shared.filter(list__digest=grant.envelopes).values_list("key_digest", flat=True))
    newest = newest_digests([grant.grantee]).get(grant.grantee)
    return bool(sealed_to) and newest in (None, *sealed_to)


def erase_superseded(event: Event) -> None:
    """After a grant of a record or selection: the envelopes that it replaces for its grantee go.

    They may be sealed to a key that somebody kept who has left. Those of a grant that waits, or that stands
    through another institution, stay.
    """
    patient, grantee, scope = event.author, event["grantee"], event["scope"]
    found = shared_envelopes(patient=patient, scope=scope, recipient=grantee)
    named = {event["envelopes"]}
    standing = Grant.objects.filter(patient=patient, grantee=grantee, scope=scope, ended=Grant.Ended.NO)
    named.update(standing.values_list("envelopes", flat=True))
    coming = Act.objects.waiting().of_kind("GrantAccess").by(patient)
    named.update(fields["envelopes"] for fields in coming.values_list("fields", flat=True))
    named.update(
        seen["envelopes"] for seen in Event.objects.pending().named("AccessGranted").authored_by(patient)
    )
    if found.filter(list__digest__in=named).exists():  # else sealed by another portal: this is all we have
        end_envelopes(found.exclude(list__digest__in=named))


def _record(actor: Actor, grant: LiveGrant, about: ListAbout) -> _Fresh | None:
    state = state_of(grant.scope)
    standing = state.standing() if state is not None else None
    opened = Keyring(actor, actor.address).open_latest(standing) if standing is not None else None
    if opened is None:
        return None
    payload = None
    with suppress(StoreDown):  # what another portal has sealed may never come, and is not needed
        payload = open_listed(actor, grant.envelopes, about, RecordPayload).payload
    terms = payload.terms if payload is not None else UNKNOWN_TERMS
    kept = payload is not None and payload.data_key == opened.data_key
    return _Fresh(RecordPayload(opened.data_key, terms).to_bytes(), kept)


def _selection(actor: Actor, grant: LiveGrant, about: ListAbout) -> _Fresh | None:
    """A selection is of its day: the same keys again; today's, where the patient's envelope is lost."""
    held = open_listed(actor, grant.envelopes, about, SelectionPayload).payload
    if held is not None:
        _list_records(actor.address, grant.scope, held)
        return _Fresh(held.to_bytes(), kept=True)
    row = Selection.objects.filter(pk=grant.scope, patient=actor.address).first()
    records = Record.objects.filter(pk__in=row.records.values("record")) if row is not None else ()
    keyring = Keyring(actor, actor.address)
    opened = {record: keyring.open_latest(state) for record, state in states_of(records).items()}
    keys = {raw(record): one.data_key for record, one in opened.items() if one is not None}
    if row is None or not keys or len(keys) < row.records.count():
        return None
    return _Fresh(SelectionPayload(raw(row.nonce), keys, UNKNOWN_TERMS).to_bytes(), kept=False)


def _list_records(patient: str, scope: str, payload: SelectionPayload) -> None:
    """Which records a selection has, written down again where this portal has lost it."""
    if word(payload.selection_id(patient)) != scope:
        return
    with transaction.atomic():
        row, _ = Selection.objects.update_or_create(
            selection=scope, defaults={"patient": patient, "nonce": word(payload.nonce)}
        )
        records = {word(record) for record in payload.data_keys}
        row.records.exclude(record__in=records).delete()
        SelectionRecord.objects.bulk_create(
            (SelectionRecord(selection=row, record=record) for record in records), ignore_conflicts=True
        )


def _seal(actor: Actor, grant: LiveGrant, about: ListAbout, payload: bytes) -> bool:
    """The same grant again with new envelopes; False while another act on it waits, or another key."""
    keys = reachable_keys([grant.grantee])
    if not keys or Act.objects.waiting().filter(slot=slot_of(grant)).exists():
        return False
    listed = seal_list(actor.origin, about, payload, [actor.own_public_key, *keys])
    rows = Grant.objects.filter(
        patient=grant.patient, grantee=grant.grantee, via=grant.via, scope=grant.scope
    )
    request = rows.values_list("request", flat=True).first()
    act = prepare_act(
        "GrantAccess",
        author=actor.address,
        grantee=grant.grantee,
        via=address_field(grant.via),
        scope=grant.scope,
        permissions=grant.permissions,
        notBefore=int(grant.not_before.timestamp()),
        expiry=int(grant.expiry.timestamp()),
        epoch=0,
        envelopes=listed.digest,
        request=request or ZERO_WORD,
        serial=grant.serial + 1,
    )
    with transaction.atomic():
        keep_list(listed)
        submit_act(actor.sign(act))
    return True
