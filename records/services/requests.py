"""Asking for access: on the chain to an address, or by a mailed link; taking it back; refusing."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string

from accounts.actor import Actor
from accounts.crypto.derivation import derive, labelled
from accounts.crypto.errors import CryptoError
from accounts.crypto.keys import private_key
from accounts.crypto.vault import link_key, open_under, seal_under
from accounts.directory import is_admitted, is_affiliated
from accounts.models import Account
from accounts.notifications import drop_mails, notify, queue_link
from chain.acts.messages import prepare_act
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox.submit import submit_act
from records.chain_words import ZERO_WORD, address_field, address_row, raw, word
from records.crypto.envelopes import Purpose, seal_envelope
from records.crypto.ids import request_id
from records.crypto.payloads import Reason
from records.crypto.payloads import Terms as SealedTerms
from records.errors import AccessRefused, Conflict, InvalidInput, NotFound
from records.models import EmailRequest, Request
from records.services import consent
from records.services.answers import ANSWERED, answers_seen, claim_answer
from records.services.drafts import seal_draft
from records.services.envelopes import ListAbout, keep_list, key_of, reachable_keys, seal_list
from records.services.limits import check_mail
from records.services.terms import check_terms, terms_to_draft
from records.services.writing import require_keys, require_patient
from records.shapes import RequestView

LINK_LIVES = timedelta(days=14)
REASON_MAX = 1000


def request_access(
    *,
    actor: Actor,
    patient: str,
    via: str,
    purpose: str,
    kinds: list[str],
    permissions: str,
    days: int,
    note: str = "",
) -> RequestView:
    """Ask a patient, by address, through an institution. One unanswered request at a time.

    Raises InvalidInput, Conflict, ChainDown, VaultClosed.
    """
    require_keys(actor)
    terms = check_terms(purpose=purpose, kinds=kinds, permissions=permissions, days=days, note=note)
    _require_asker(actor, via)
    if patient == actor.address:
        raise InvalidInput("patient", "This is your own address.")
    require_patient(actor, patient)
    nonce = _next_nonce(actor, patient, via)
    request = word(request_id(actor.address, raw(nonce)))
    about = ListAbout(Purpose.TERMS, actor.address, patient, request)
    recipients = [key_of(patient, field="patient"), actor.own_public_key]
    listed = seal_list(actor.origin, about, terms.to_bytes(), recipients)
    act = prepare_act(
        "RequestAccess",
        author=actor.address,
        patient=patient,
        via=address_field(via),
        nonce=nonce,
        envelopes=listed.digest,
    )
    signed = actor.sign(act)
    with _accepting("You have asked this patient just now."), transaction.atomic():
        keep_list(listed)
        submit_act(signed)
        notify(patient, "access_requested", {})
    return consent.get_request(actor=actor, request=request)


def request_by_email(
    *,
    actor: Actor,
    email: str,
    via: str,
    purpose: str,
    kinds: list[str],
    permissions: str,
    days: int,
    note: str = "",
) -> RequestView:
    """Mail a link whose secret opens the sealed terms. The same for a known and an unknown address.

    Raises InvalidInput, Conflict (one is on its way already), LimitReached, VaultClosed.
    """
    require_keys(actor)
    terms = check_terms(purpose=purpose, kinds=kinds, permissions=permissions, days=days, note=note)
    _require_asker(actor, via)
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidInput("patient", "This is not an e-mail address.") from error
    secret = get_random_string(43)
    row = EmailRequest(author=actor.address, via=via, email=email, expires_at=timezone.now() + LINK_LIVES)
    row.digest = _digest(secret)
    row.sealed = seal_under(link_key(secret), terms.to_bytes(), _link_about(row))
    row.sealed_author = seal_draft(actor, consent.email_about(row), terms_to_draft(terms))
    link = reverse("records:email-request", args=[secret])
    with transaction.atomic():
        _save_unless_sent(row)
        queue_link(
            email=email,
            template="access_request_link",
            context={"path": link},
            lasts=LINK_LIVES,
            about=mail_about(str(row.pk)),
        )
    return consent.get_request(actor=actor, request=str(row.pk))


def mail_about(request: str) -> str:
    """Return the name under which the mail of a mailed request is kept."""
    return f"email-request:{request}"


def open_email_request(*, actor: Actor, secret: str) -> RequestView:
    """Open a mailed link, signed in with the verified e-mail address that it was sent to.

    From then on the request stands on this patient's home page. Raises NotFound, AccessRefused, VaultClosed.
    """
    require_keys(actor)
    row = EmailRequest.objects.filter(digest=_digest(secret)).first()
    gone = row is None or (row.patient and row.patient != actor.address)
    if row is None or gone or row.state == EmailRequest.State.WITHDRAWN or row.expires_at <= timezone.now():
        raise NotFound("This link is not valid (any more). Ask for a new one.")
    user = actor.user
    if actor.kind != Account.Kind.PATIENT or user.email.lower() != row.email or not user.email_verified:
        raise AccessRefused("This link was sent to another e-mail address. Sign in with that one.")
    try:
        terms = SealedTerms.from_bytes(open_under(link_key(secret), bytes(row.sealed), _link_about(row)))
    except CryptoError as error:
        raise NotFound("This link is not valid (any more). Ask for a new one.") from error
    if not row.patient:
        draft = terms_to_draft(terms)
        EmailRequest.objects.filter(pk=row.pk, patient="").update(
            patient=actor.address, sealed_patient=seal_draft(actor, consent.email_about(row), draft)
        )
    return consent.get_request(actor=actor, request=str(row.pk))


def withdraw_request(*, actor: Actor, request: str) -> None:
    """Take one's own request back; again does nothing. Raises NotFound, Conflict, VaultClosed."""
    seen = answers_seen(request)
    view = consent.get_request(actor=actor, request=request)
    if view.author != actor.address:
        raise NotFound("There is no such request.")
    if view.state == "withdrawn":
        return
    with _unless_done(actor, request, "withdrawn"):
        _require_open(request)
        (_withdraw_email if view.by_email else _withdraw_on_chain)(actor, view, seen)


def deny_request(*, actor: Actor, request: str, reason: str = "") -> None:
    """Refuse a request, with a reason that only its author can read; again does nothing.

    An author to whose key nothing can be sealed is refused all the same, and cannot read the reason.

    Raises InvalidInput, NotFound, Conflict, ChainDown, VaultClosed.
    """
    require_keys(actor)
    seen = answers_seen(request)
    view = consent.get_request(actor=actor, request=request)
    reason = reason.strip()
    if len(reason) > REASON_MAX or "\x00" in reason:
        raise InvalidInput("reason", f"A reason has at most {REASON_MAX} characters.")
    if view.patient != actor.address:
        raise NotFound("There is no such request.")
    if view.state == "denied":
        return
    with _unless_done(actor, request, "denied"):
        _require_open(request)
        (_deny_email if view.by_email else _deny_on_chain)(actor, view, reason, seen)


def answer_again(actor: Actor, act: Act) -> Callable[[], object]:
    """Sign a refused denial or withdrawal again; what is returned has it accepted, in a transaction.

    Raises Conflict where the request was answered otherwise.
    """
    request = act.fields["request"]
    seen = answers_seen(request)
    _require_open(request)
    signed = actor.sign(act.prepared)

    def accept() -> None:
        claim_answer(request, seen=seen)
        submit_act(signed)

    return accept


def ask_again(actor: Actor, act: Act) -> Callable[[], object]:
    """The same for a refused request. Raises InvalidInput, Conflict where another one is open."""
    via = address_row(act.fields["via"])
    _require_asker(actor, via)
    _next_nonce(actor, act.subject, via)
    signed = actor.sign(act.prepared)
    return lambda: submit_act(signed)


def _require_open(request: str) -> None:
    """Raise Conflict for a request that was answered, a waiting answer counted."""
    if consent.standing_of(request) not in ("open", "waiting", "expired"):
        raise Conflict(ANSWERED)


def _withdraw_on_chain(actor: Actor, view: RequestView, seen: int) -> None:
    act = prepare_act(
        "WithdrawRequest",
        author=actor.address,
        patient=view.patient,
        request=view.id,
        nonce=_nonce_of(view.id),
    )
    signed = actor.sign(act)
    with _accepting(ANSWERED), transaction.atomic():
        claim_answer(view.id, seen=seen)
        submit_act(signed)


def _withdraw_email(_actor: Actor, view: RequestView, seen: int) -> None:
    with transaction.atomic():
        claim_answer(view.id, seen=seen)
        _close_email(view.id, EmailRequest.State.WITHDRAWN)
        drop_mails(mail_about(view.id))


def _deny_on_chain(actor: Actor, view: RequestView, reason: str, seen: int) -> None:
    digest = ZERO_WORD
    listed = None
    if reason:
        about = ListAbout(Purpose.REASON, actor.address, actor.address, view.id)
        recipients = [actor.own_public_key, *reachable_keys([view.author])]
        listed = seal_list(actor.origin, about, Reason(reason).to_bytes(), recipients)
        digest = listed.digest
    signed = actor.sign(prepare_act("DenyAccess", author=actor.address, request=view.id, reason=digest))
    with _accepting(ANSWERED), transaction.atomic():
        claim_answer(view.id, seen=seen)
        if listed is not None:
            keep_list(listed)
        submit_act(signed)
        notify(view.author, "access_answered", {})


@contextmanager
def _accepting(words: str) -> Iterator[None]:
    """An act that cannot be accepted any more is a Conflict, in these words."""
    try:
        yield
    except ActConflict as error:
        raise Conflict(words) from error


@contextmanager
def _unless_done(actor: Actor, request: str, state: str) -> Iterator[None]:
    """A conflict with a faster click that did the same is none."""
    try:
        yield
    except Conflict:
        if consent.get_request(actor=actor, request=request).state != state:
            raise


def _require_asker(actor: Actor, via: str) -> None:
    own = actor.kind == Account.Kind.INSTITUTION and via == actor.address and is_admitted(via)
    if not own and not (via and is_affiliated(via, actor.address)):
        raise InvalidInput("via", "Choose an institution that you belong to now.")


def _next_nonce(actor: Actor, patient: str, via: str) -> str:
    """The nonce of the next request to this patient through this institution.

    Derived, not random: of two clicks at once the second finds the request's place taken. Secret all the
    same, so that nobody can tell a request's id beforehand.
    """
    acts = Act.objects.by(actor.address).about(patient).of_kind("RequestAccess")
    nonces = {act.fields["nonce"] for act in acts if address_row(act.fields["via"]) == via}
    rows = Request.objects.filter(author=actor.address, patient=patient, via=via)
    nonces |= set(rows.values_list("nonce", flat=True))
    for nonce in nonces:
        state = consent.state_of_request(word(request_id(actor.address, raw(nonce))))
        if state in ("waiting", "open"):
            raise Conflict("You have asked this patient already. Wait for the answer, or take it back.")
    count = len(nonces).to_bytes(8, "big")
    info = labelled("request-nonce", raw(patient), raw(address_field(via)), count)
    return word(derive(private_key(actor.folder_root), info))


def _nonce_of(request: str) -> str:
    row = Request.objects.filter(pk=request).first()
    if row is not None:
        return row.nonce
    act = consent.request_act(request)
    if act is None:
        raise NotFound("There is no such request.")
    nonce: str = act.fields["nonce"]
    return nonce


def _save_unless_sent(row: EmailRequest) -> None:
    with transaction.atomic():
        sent = EmailRequest.objects.filter(
            author=row.author,
            via=row.via,
            email=row.email,
            state=EmailRequest.State.SENT,
            expires_at__gt=timezone.now(),
        )
        if sent.exclude(grants__isnull=False).exists():
            raise Conflict("A link is on its way to this address already. Wait, or take that one back.")
        check_mail(row)
        row.save(force_insert=True)


def _close_email(request: str, state: EmailRequest.State, **more: object) -> None:
    closed = EmailRequest.objects.filter(pk=uuid.UUID(request), state=EmailRequest.State.SENT).update(
        state=state, closed_at=timezone.now(), **more
    )
    if not closed:
        raise Conflict(ANSWERED)


def _deny_email(actor: Actor, view: RequestView, reason: str, seen: int) -> None:
    row = EmailRequest.objects.get(pk=uuid.UUID(view.id))
    sealed = None  # where the author has no key that can be used, the refusal goes without its reason
    for key in reachable_keys([row.author]):
        context = consent.email_reason_about(row).context(actor.origin, row.author)
        sealed = raw(key.digest) + seal_envelope(context, key.key, Reason(reason).to_bytes())
    with transaction.atomic():
        claim_answer(view.id, seen=seen)
        _close_email(view.id, EmailRequest.State.DENIED, sealed_reason=sealed)
        notify(row.author, "access_answered", {})


def _digest(secret: str) -> str:
    return word(hashlib.sha256(secret.encode(errors="replace")).digest())


def _link_about(row: EmailRequest) -> bytes:
    return b"medrec/v1/email-request\x00" + row.pk.bytes
