"""Lists of consent: requests and grants, each the projection with what waits, as one party sees it."""

import uuid
from typing import Literal

from django.utils import timezone

from accounts.actor import Actor
from accounts.crypto.errors import CryptoError
from accounts.directory import Person, key_fingerprints
from chain.contract.slots import slot_answer, slot_request
from chain.models import Act
from chain.models.bulk import rows_in
from records.chain_words import ZERO_WORD, address_row, raw, word
from records.crypto.envelopes import Purpose, open_envelope
from records.crypto.ids import request_id
from records.crypto.payloads import Reason
from records.crypto.payloads import Terms as SealedTerms
from records.errors import NotArrived, NotFound, StoreDown
from records.models import EmailRequest, Grant, Request
from records.readability import Readability
from records.services.drafts import open_draft
from records.services.envelopes import ListAbout, open_listed, open_terms
from records.services.naming import people_named_to
from records.services.sharing import count_patients, grants_by, patients_of
from records.services.states import act_state
from records.services.terms import show_terms, terms_from_draft
from records.shapes import RequestView, Terms

__all__ = [
    "count_patients",
    "count_requests",
    "email_about",
    "email_reason_about",
    "get_request",
    "grants_by",
    "patients_of",
    "request_act",
    "request_views",
    "requests_by",
    "requests_for",
    "sealed_terms",
    "standing_of",
    "state_of_request",
]

State = Literal["waiting", "open", "granted", "denied", "withdrawn", "expired", "failed"]


def requests_for(*, actor: Actor, start: int = 0, end: int | None = None) -> list[RequestView]:
    """Requests to this patient, newest first: confirmed ones, and mailed ones that were opened.

    Only those from `start` to `end` are opened.
    """
    rows = Request.objects.filter(patient=actor.address)
    mailed = EmailRequest.objects.filter(patient=actor.address)
    places = [(at, pk) for pk, at in rows.values_list("pk", "requested_at")]
    places += [(at, str(pk)) for pk, at in mailed.values_list("pk", "created_at")]
    chosen = [pk for _, pk in sorted(places, reverse=True)[start:end]]
    on_chain = [pk for pk in chosen if pk.startswith("0x")]
    links = [uuid.UUID(pk) for pk in chosen if not pk.startswith("0x")]
    return request_views(actor, list(rows_in(rows, "pk", on_chain)), [], list(rows_in(mailed, "pk", links)))


def count_requests(*, actor: Actor) -> int:
    """How many `requests_for` has in all."""
    mailed = EmailRequest.objects.filter(patient=actor.address)
    return Request.objects.filter(patient=actor.address).count() + mailed.count()


def requests_by(*, actor: Actor) -> list[RequestView]:
    """Requests that this account has made, newest first, with what waits."""
    rows = list(Request.objects.filter(author=actor.address))
    known = {row.request for row in rows}
    acts = Act.objects.by(actor.address).of_kind("RequestAccess").exclude(state="confirmed")
    waiting = [act for act in acts if _request_of(act) not in known]
    return request_views(actor, rows, waiting, list(EmailRequest.objects.filter(author=actor.address)))


def get_request(*, actor: Actor, request: str) -> RequestView:
    """One request, for who asked and who was asked. Raises NotFound, VaultClosed."""
    views: list[RequestView] = []
    if request.startswith("0x"):
        rows = list(Request.objects.filter(pk=request))
        act = None if rows else request_act(request)
        parties = {row.author for row in rows} | {row.patient for row in rows}
        if act is not None:
            parties = {act.author, act.subject}
        if actor.address in parties:
            views = request_views(actor, rows, [act] if act else [], [])
    elif (mailed := _mailed(request)) is not None and actor.address in (mailed.author, mailed.patient):
        views = request_views(actor, [], [], [mailed])
    if not views:
        raise NotFound("There is no such request.")
    return views[0]


def request_act(request: str) -> Act | None:
    """The act that makes this request, while the chain has not confirmed it."""
    return Act.objects.filter(slot=slot_request(request)).order_by("-created_at").first()


def state_of_request(request: str) -> State:
    """Where a request on the chain stands, what waits counted in."""
    row = Request.objects.filter(pk=request).first()
    answer = _answers([request]).get(request)
    if row is None:
        act = request_act(request)
        return "failed" if act is None else _state_of_act(act, answer)
    return _state(row, answer, granted=_granted([row], waiting=True))


def standing_of(request: str) -> State:
    """Where a request stands, on the chain or mailed, with every answer that waits."""
    mailed = None if request.startswith("0x") else _mailed(request)
    return state_of_request(request) if mailed is None else _mailed_state(mailed, waiting=True)


def sealed_terms(actor: Actor, asked: RequestView | None) -> SealedTerms | None:
    """The terms of a request as they were sealed, for the grant that answers it."""
    if asked is None:
        return None
    if asked.by_email:
        mailed = _mailed(asked.id)
        return _mailed_terms(actor, mailed) if mailed is not None else None
    row = Request.objects.filter(pk=asked.id).first()
    if row is None:
        return None
    return open_terms(actor, row.envelopes, ListAbout(Purpose.TERMS, row.author, row.patient, row.request))


def email_about(row: EmailRequest) -> bytes:
    """What the sealed copies of a mailed request's terms are bound to."""
    return b"email-request" + row.pk.bytes


def email_reason_about(row: EmailRequest) -> ListAbout:
    """The context of the reason for which a mailed request was denied; its scope is the secret's digest."""
    return ListAbout(Purpose.REASON, row.patient, row.patient, row.digest)


def request_views(
    actor: Actor, rows: list[Request], acts: list[Act], mailed: list[EmailRequest]
) -> list[RequestView]:
    addresses = {address for row in rows for address in (row.patient, row.author, row.via)}
    addresses |= {address for act in acts for address in (act.subject, act.author)}
    addresses |= {address_row(act.fields["via"]) for act in acts}
    addresses |= {address for row in mailed for address in (row.patient, row.author, row.via)}
    people = people_named_to(actor, addresses - {""})
    authors = {row.author for row in rows} | {act.author for act in acts} | {row.author for row in mailed}
    keys = key_fingerprints(authors)
    answers = _answers([row.request for row in rows] + [_request_of(act) for act in acts])
    granted = _granted(rows, waiting=any(row.patient == actor.address for row in rows))
    views = [
        _from_row(actor, row, people, keys, _state(row, answers.get(row.request), granted)) for row in rows
    ]
    views += [_from_act(actor, act, people, keys, answers.get(_request_of(act))) for act in acts]
    views += [_from_mailed(actor, row, people, keys) for row in mailed]
    return sorted(views, key=lambda view: view.requested_at, reverse=True)


def _state(row: Request, answer: Act | None, granted: set[str]) -> State:
    if row.state == Request.State.DENIED:
        return "denied"
    if row.state == Request.State.WITHDRAWN:
        return "withdrawn"
    if answer is not None:
        return _state_of_answer(answer)
    return "granted" if row.request in granted else "open"


def _state_of_act(act: Act, answer: Act | None) -> State:
    """Where a request stands that the chain has not confirmed: an answer may wait behind it."""
    if act_state(act) == "failed":
        return "failed"
    return "waiting" if answer is None else _state_of_answer(answer)


def _state_of_answer(answer: Act) -> State:
    return "denied" if answer.kind == "DenyAccess" else "withdrawn"


def _answers(requests: list[str]) -> dict[str, Act]:
    """Waiting denials and withdrawals, by request."""
    slots = {slot_answer(request): request for request in requests}
    return {slots[act.slot]: act for act in rows_in(Act.objects.waiting(), "slot", slots)}


def _granted(rows: list[Request], *, waiting: bool) -> set[str]:
    """Which of these requests a grant answers; waiting grants counted where the patient looks.

    The contract takes any request id in a grant, so that it answers is judged here: it is the asked
    patient's, for who asked. Else a stranger's grant could make a request look answered.
    """
    asked = {row.request: row for row in rows}
    grants = rows_in(Grant.objects.only("request", "patient", "grantee"), "request", asked)
    named = {(row.request, row.patient, row.grantee) for row in grants}
    if waiting:
        acts = rows_in(Act.objects.waiting().of_kind("GrantAccess"), "fields__request", asked)
        named |= {(act.fields["request"], act.author, act.fields["grantee"]) for act in acts}
    return {
        request
        for request, patient, grantee in named
        if patient == asked[request].patient and grantee in (asked[request].author, asked[request].via)
    }


def _from_row(
    actor: Actor, row: Request, people: dict[str, Person], keys: dict[str, str], state: State
) -> RequestView:
    about = ListAbout(Purpose.TERMS, row.author, row.patient, row.request)
    terms, readability = _open_terms(actor, row.envelopes, about)
    reason, reason_damaged = _open_reason(actor, row)
    return RequestView(
        id=row.request,
        by_email=False,
        patient=row.patient,
        patient_name=people[row.patient].name_if_known,
        author=row.author,
        author_name=people[row.author].name,
        author_key=keys.get(row.author, ""),
        via=row.via,
        via_name=people[row.via].name if row.via else "",
        terms=terms,
        readability=readability,
        state=state,
        reason=reason,
        reason_damaged=reason_damaged,
        act="",
        requested_at=row.requested_at,
        closed_at=row.closed_at,
    )


def _from_act(
    actor: Actor, act: Act, people: dict[str, Person], keys: dict[str, str], answer: Act | None
) -> RequestView:
    request, via = _request_of(act), address_row(act.fields["via"])
    about = ListAbout(Purpose.TERMS, act.author, act.subject, request)
    terms, readability = _open_terms(actor, act.fields["envelopes"], about)
    return RequestView(
        id=request,
        by_email=False,
        patient=act.subject,
        patient_name=people[act.subject].name_if_known,
        author=act.author,
        author_name=people[act.author].name,
        author_key=keys.get(act.author, ""),
        via=via,
        via_name=people[via].name if via else "",
        terms=terms,
        readability=readability,
        state=_state_of_act(act, answer),
        reason=act.error,
        act=str(act.pk),
        requested_at=act.created_at,
    )


def _from_mailed(
    actor: Actor, row: EmailRequest, people: dict[str, Person], keys: dict[str, str]
) -> RequestView:
    """To its author no address is shown until a grant is there, and an expired one is no more than that."""
    mine = row.author == actor.address
    state = _mailed_state(row, waiting=not mine)
    named = row.patient if not mine or state == "granted" else ""
    terms = show_terms(_mailed_terms(actor, row))
    reason, reason_damaged = _mailed_reason(actor, row) if mine else ("", False)
    return RequestView(
        id=str(row.pk),
        by_email=True,
        patient=named,
        patient_name=people[named].name_if_known if named else row.email,
        author=row.author,
        author_name=people[row.author].name,
        author_key=keys.get(row.author, ""),
        via=row.via,
        via_name=people[row.via].name if row.via else "",
        terms=terms,
        readability=Readability.DAMAGED if terms is None else Readability.READABLE,
        state=state,
        reason=reason,
        reason_damaged=reason_damaged,
        act="",
        requested_at=row.created_at,
        closed_at=row.closed_at,
    )


def _mailed_state(row: EmailRequest, *, waiting: bool) -> State:
    if row.state == EmailRequest.State.DENIED:
        return "denied"
    if row.state == EmailRequest.State.WITHDRAWN:
        return "withdrawn"
    grants = set(row.grants.values_list("slot", "serial"))
    answered = Act.objects.reserving() if waiting else Act.objects.confirmed()
    answered = answered.of_kind("GrantAccess").filter(slot__in={slot for slot, _ in grants})
    if grants & set(answered.values_list("slot", "number")):
        return "granted"
    return "expired" if row.expires_at <= timezone.now() and not row.patient else "open"


def _mailed_terms(actor: Actor, row: EmailRequest) -> SealedTerms | None:
    sealed = row.sealed_author if row.author == actor.address else row.sealed_patient
    if not sealed:
        return None
    try:
        return terms_from_draft(open_draft(actor, email_about(row), bytes(sealed)))
    except CryptoError:
        return None


def _mailed_reason(actor: Actor, row: EmailRequest) -> tuple[str, bool]:
    """(the reason, whether it is damaged)."""
    if not row.sealed_reason:
        return "", False
    sealed = bytes(row.sealed_reason)
    seed = actor.sharing_seed(word(sealed[:32]))
    if seed is None:
        return "", False
    context = email_reason_about(row).context(actor.origin, row.author)
    try:
        return Reason.from_bytes(open_envelope(context, seed, sealed[32:])).text, False
    except CryptoError:
        return "", True


def _open_terms(actor: Actor, digest: str, about: ListAbout) -> tuple[Terms | None, Readability]:
    """The terms of a request to which this actor is party, or why they cannot be read."""
    try:
        opened = open_listed(actor, digest, about, SealedTerms)
    except NotArrived:
        return None, Readability.NOT_ARRIVED
    except StoreDown:
        return None, Readability.UNREACHABLE
    if opened.payload is not None:
        return show_terms(opened.payload), Readability.READABLE
    return None, Readability.DAMAGED if opened.damaged else Readability.LOST


def _open_reason(actor: Actor, row: Request) -> tuple[str, bool]:
    """(why this request was denied, whether the reason is damaged)."""
    if not row.reason or row.reason == ZERO_WORD:
        return "", False
    about = ListAbout(Purpose.REASON, row.patient, row.patient, row.request)
    try:
        opened = open_listed(actor, row.reason, about, Reason)
    except StoreDown:
        return "", False
    return (opened.payload.text if opened.payload is not None else ""), opened.damaged


def _mailed(request: str) -> EmailRequest | None:
    try:
        return EmailRequest.objects.filter(pk=uuid.UUID(request)).first()
    except ValueError:
        return None


def _request_of(act: Act) -> str:
    return word(request_id(act.author, raw(act.fields["nonce"])))
