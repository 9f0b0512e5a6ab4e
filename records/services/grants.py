"""Granting: what exactly will be signed is made first and shown; confirming signs that and nothing else."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.actor import Actor
from accounts.directory import PublicKey, fingerprint, is_admitted, is_affiliated
from accounts.models import Account
from accounts.notifications import notify
from chain.acts.messages import PreparedAct, prepare_act
from chain.contract.slots import slot_grant
from chain.errors import ActConflict
from chain.models import Act
from chain.node.deployment import domain
from chain.outbox.submit import next_number, submit_act
from chain.status.freshness import chain_times
from records.chain_words import ZERO_WORD, address_field, raw
from records.crypto.envelopes import EnvelopeList, Purpose
from records.errors import Conflict, InvalidInput, NotFound
from records.models import EmailGrant, EmailRequest, GrantDraft, Selection, SelectionRecord
from records.services import consent
from records.services.act_words import describe_act
from records.services.answers import ANSWERED, answers_seen, claim_answer
from records.services.envelopes import ListAbout, SealedList, keep_list, key_of
from records.services.epochs import current_epoch
from records.services.naming import people_named_to, person_named_to
from records.services.scopes import SealedScope, seal_folder, seal_records, seal_selection
from records.services.terms import DAYS_MAX, check_kinds, grant_terms, permissions_of
from records.services.writing import require_keys
from records.shapes import ActWords, GrantProposal, RecordView, RequestView

DRAFT_LIVES = timedelta(hours=1)


@dataclass(frozen=True)
class _Wish:
    """Checked: to whom, how, from when until when."""

    grantee: PublicKey
    via: str
    permissions: int
    not_before: datetime
    expires_at: datetime
    request: RequestView | None


def propose_grant(
    *,
    actor: Actor,
    grantee: str,
    via: str,
    folders: Iterable[int] = (),
    records: Iterable[str] = (),
    selection: bool = False,
    kinds: Iterable[str] = (),
    since: date | None = None,
    until: date | None = None,
    permissions: str = "read",
    not_before: datetime | None = None,
    expires_at: datetime,
    request: str | None = None,
) -> GrantProposal:
    """Make the acts that would give this access, to be shown and confirmed within the hour.

    Folders, single records, or (with `selection`) the records there are now, narrowed by kind and date of
    service; a selection is read only. Raises InvalidInput, NotFound, Conflict, ChainDown, VaultClosed.
    """
    require_keys(actor)
    kinds = sorted(set(kinds))
    check_kinds(kinds)
    seen = answers_seen(request) if request else 0
    wish = _check(actor, grantee, via, permissions, not_before, expires_at, request)
    asked = consent.sealed_terms(actor, wish.request)
    days = -(-int((expires_at - wish.not_before).total_seconds()) // 86400)
    terms = grant_terms(asked, permissions=wish.permissions, days=days, kinds=kinds, since=since, until=until)
    scopes: list[SealedScope] = [seal_folder(actor, wish.grantee, folder, terms) for folder in set(folders)]
    if single := set(records):
        scopes += seal_records(actor, wish.grantee, single, terms)
    if selection:
        if wish.permissions != 1:
            raise InvalidInput("permissions", "A selection is read only.")
        scopes.append(seal_selection(actor, wish.grantee, terms))
    if not scopes:
        raise InvalidInput("folders", "Choose what to share.")
    acts = [_act(actor, wish, scope) for scope in scopes]
    draft = _keep_draft(actor, wish, acts, scopes, seen)
    return _proposal(actor, draft, wish, acts, scopes)


def grant_access(*, actor: Actor, proposal: str | GrantProposal) -> list[Act]:
    """Sign and queue exactly what was proposed. Again gives the same acts.

    Raises NotFound, Conflict (what the proposal built on has changed: propose again), VaultClosed.
    """
    require_keys(actor)
    draft = _find_draft(actor, proposal.id if isinstance(proposal, GrantProposal) else proposal)
    acts = [prepare_act(kept["kind"], **kept["fields"]) for kept in draft.acts]
    if draft.granted_at is not None:
        return _accepted(acts)
    _check_draft(draft, acts)
    request = _answers(draft, acts)
    if request and consent.standing_of(request) not in ("open", "waiting", "granted"):
        raise Conflict(ANSWERED)
    signed = [actor.sign(act) for act in acts]
    try:
        with transaction.atomic():
            if not GrantDraft.objects.filter(pk=draft.pk, granted_at=None).update(granted_at=timezone.now()):
                return _accepted(acts)  # another click was faster
            if request:
                claim_answer(request, seen=draft.answer_seen)
            for kept in draft.lists:
                keep_list(_list_from_draft(kept))
            _keep_selections(actor, draft)
            done = [submit_act(one) for one in signed]
            _answer_email(draft, done)
            notify(acts[0].fields["grantee"], "access_answered", {})
            GrantDraft.objects.filter(pk=draft.pk).update(lists=[])
    except ActConflict as error:
        raise Conflict("Something was granted or revoked meanwhile. Look again, and decide anew.") from error
    return done


def _answers(draft: GrantDraft, acts: list[PreparedAct]) -> str:
    """The request that these acts answer, if any."""
    if draft.email_request is not None:
        return str(draft.email_request)
    request: str = acts[0].fields["request"]
    return "" if request == ZERO_WORD else request


def _accepted(acts: list[PreparedAct]) -> list[Act]:
    """What confirming has made of these acts already."""
    return list(Act.objects.filter(digest__in=[act.digest(domain()) for act in acts]))


def _check(
    actor: Actor,
    grantee: str,
    via: str,
    permissions: str,
    not_before: datetime | None,
    expires_at: datetime,
    request: str | None,
) -> _Wish:
    times = chain_times()
    now = times.latest
    begins = not_before or times.earliest  # where the chain's clock is behind, the grant holds there at once
    if expires_at <= max(now, begins):
        raise InvalidInput("expires_at", "Access ends after it begins, and in the future.")
    if expires_at > now + timedelta(days=DAYS_MAX + 1):
        raise InvalidInput("expires_at", f"Access lasts at most {DAYS_MAX} days.")
    if grantee == actor.address:
        raise InvalidInput("grantee", "This is your own address.")
    _check_via(actor, grantee, via)
    asked = consent.get_request(actor=actor, request=request) if request else None
    if asked is not None:
        if asked.patient != actor.address or grantee not in (asked.author, asked.via):
            raise NotFound("There is no such request.")
        if asked.state not in ("open", "granted"):
            raise Conflict("This request was answered or taken back already.")
    return _Wish(
        grantee=key_of(grantee, field="grantee"),
        via=via,
        permissions=permissions_of(permissions),
        not_before=begins,
        expires_at=expires_at,
        request=asked,
    )


def _check_via(actor: Actor, grantee: str, via: str) -> None:
    if via == grantee:
        if not is_admitted(via):
            raise InvalidInput("via", "This institution is not admitted now.")
    elif via:
        if not is_affiliated(via, grantee):
            raise InvalidInput("via", "The doctor does not belong to this institution now.")
    elif person_named_to(actor, grantee).kind not in ("", Account.Kind.PATIENT):
        raise InvalidInput("via", "Choose the institution through which access is given.")


def _act(actor: Actor, wish: _Wish, scope: SealedScope) -> PreparedAct:
    via = address_field(wish.via)
    on_chain = wish.request is not None and not wish.request.by_email
    return prepare_act(
        "GrantAccess",
        author=actor.address,
        grantee=wish.grantee.account,
        via=via,
        scope=scope.scope,
        permissions=wish.permissions,
        notBefore=int(wish.not_before.timestamp()),
        expiry=int(wish.expires_at.timestamp()),
        epoch=scope.epoch,
        envelopes=scope.listed.digest,
        request=wish.request.id if wish.request is not None and on_chain else ZERO_WORD,
        serial=next_number(slot_grant(actor.address, wish.grantee.account, via, scope.scope)),
    )


def _keep_draft(
    actor: Actor, wish: _Wish, acts: list[PreparedAct], scopes: list[SealedScope], seen: int
) -> GrantDraft:
    mailed = wish.request is not None and wish.request.by_email
    return GrantDraft.objects.create(
        patient=actor.address,
        acts=[{"kind": act.kind, "fields": act.fields} for act in acts],
        lists=[_list_to_draft(scope.listed) for scope in scopes],
        selections=[
            {
                "selection": scope.scope,
                "nonce": scope.nonce,
                "records": [view.record for view in scope.records],
            }
            for scope in scopes
            if scope.nonce
        ],
        email_request=uuid.UUID(wish.request.id) if wish.request is not None and mailed else None,
        answer_seen=seen,
    )


def _proposal(
    actor: Actor, draft: GrantDraft, wish: _Wish, acts: list[PreparedAct], scopes: list[SealedScope]
) -> GrantProposal:
    people = people_named_to(actor, {wish.grantee.account, wish.via} - {""})
    who, place = people[wish.grantee.account], people.get(wish.via)
    records: list[RecordView] = [view for scope in scopes for view in scope.records]
    words = [scope.words for scope in scopes]
    return GrantProposal(
        id=str(draft.pk),
        grantee=who.address,
        grantee_name=who.name,
        grantee_key=fingerprint(wish.grantee.digest),
        via=wish.via,
        via_name=place.name if place else "",
        write=bool(wish.permissions & 2),
        not_before=wish.not_before,
        expires_at=wish.expires_at,
        scope_words=words,
        records=records,
        acts=[
            ActWords(act.kind, describe_act(act, scope.words, who=who, via=place), act.typed_data(domain()))
            for act, scope in zip(acts, scopes, strict=True)
        ],
        request=wish.request.id if wish.request is not None else "",
    )


def _find_draft(actor: Actor, proposal: str) -> GrantDraft:
    try:
        draft = GrantDraft.objects.filter(pk=uuid.UUID(proposal), patient=actor.address).first()
    except ValueError:
        draft = None
    if draft is None:
        raise NotFound("There is no such proposal.")
    return draft


def _check_draft(draft: GrantDraft, acts: list[PreparedAct]) -> None:
    if draft.created_at < timezone.now() - DRAFT_LIVES:
        raise Conflict("This proposal is too old. Look again, and decide anew.")
    for act in acts:
        folder = int(act.fields["scope"], 16)
        if folder < 2**16 and act.fields["epoch"] != current_epoch(draft.patient, folder):
            raise Conflict("Access to this folder was changed meanwhile. Look again, and decide anew.")


def _keep_selections(actor: Actor, draft: GrantDraft) -> None:
    for kept in draft.selections:
        row = Selection.objects.create(
            selection=kept["selection"], patient=actor.address, nonce=kept["nonce"]
        )
        SelectionRecord.objects.bulk_create(
            SelectionRecord(selection=row, record=record) for record in kept["records"]
        )


def _answer_email(draft: GrantDraft, acts: list[Act]) -> None:
    row = EmailRequest.objects.filter(pk=draft.email_request).first() if draft.email_request else None
    for act in acts if row is not None else []:
        EmailGrant.objects.update_or_create(request=row, slot=act.slot, defaults={"serial": act.number})


def _list_to_draft(listed: SealedList) -> dict[str, Any]:
    about = listed.about
    return {
        "about": [int(about.purpose), about.sender, about.patient, about.scope, about.epoch],
        "list": listed.listed.to_bytes().hex(),
        "envelopes": [envelope.hex() for envelope in listed.envelopes],
    }


def _list_from_draft(kept: dict[str, Any]) -> SealedList:
    purpose, sender, patient, scope, epoch = kept["about"]
    return SealedList(
        about=ListAbout(Purpose(purpose), sender, patient, scope, epoch),
        listed=EnvelopeList.from_bytes(raw(kept["list"])),
        envelopes=[raw(envelope) for envelope in kept["envelopes"]],
    )
