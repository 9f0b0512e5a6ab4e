"""Asking, answering, refusing: on the chain, and by a mailed link."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.actor import Actor
from accounts.directory import PublicKey
from chain.acts.messages import SignedAct, folder_scope, prepare_act
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox.submit import submit_act
from records.errors import AccessRefused, Conflict, InvalidInput, NotFound
from records.models import EmailRequest, Grant, Request
from records.services import consent, requests
from records.services.envelopes import key_of
from records.shapes import RequestView
from tests.chain_node import ChainNode
from tests.mails import newest_mail
from tests.people import fresh_email, make_patient
from tests.records.conftest import LABORATORY, Clinic, grant

pytestmark = pytest.mark.django_db

TERMS = {
    "purpose": "TREAT",
    "kinds": [LABORATORY],
    "permissions": "read",
    "days": 30,
    "note": "Before the operation",
}


def ask(clinic: Clinic, patient: str, **changes: object) -> RequestView:
    """A request through the clinic."""
    values = {"actor": clinic.doctor, "patient": patient, "via": clinic.via, **TERMS, **changes}
    return requests.request_access(**values)  # type: ignore[arg-type]


def mail_link(clinic: Clinic, email: str) -> str:
    """A request by e-mail; the secret of its link."""
    requests.request_by_email(actor=clinic.doctor, email=email, via=clinic.via, **TERMS)  # type: ignore[arg-type]
    found = re.search(r"https?://\S+/([A-Za-z0-9]{43})/?", str(newest_mail().body))
    assert found, newest_mail().body
    return found[1]


def test_only_a_patient_is_asked(clinic: Clinic) -> None:
    for nobody in (clinic.manager.address, clinic.via):
        with pytest.raises(InvalidInput, match="not a patient") as refused:
            ask(clinic, nobody)
        assert refused.value.field == "patient"


def test_a_request_reaches_the_patient_with_its_terms(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    asked = ask(clinic, patient.address)
    assert asked.state == "waiting"
    with pytest.raises(Conflict):
        ask(clinic, patient.address)
    assert consent.requests_for(actor=patient) == []
    chain.settle()
    (seen,) = consent.requests_for(actor=patient)
    assert (seen.id, seen.state, seen.author_name, seen.via) == (asked.id, "open", "Dana Reed", clinic.via)
    assert seen.terms is not None
    assert (seen.terms.note, seen.terms.kinds, seen.terms.days) == ("Before the operation", [LABORATORY], 30)
    assert consent.get_request(actor=clinic.doctor, request=asked.id).patient_name == ""
    grant(patient, clinic.doctor.address, clinic.via, request=asked.id)
    chain.settle()
    answered = consent.get_request(actor=clinic.doctor, request=asked.id)
    assert (answered.state, answered.patient_name) == ("granted", "Ada Moss")
    assert ask(clinic, patient.address).id != asked.id


def test_somebody_elses_grant_answers_no_request(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    asked = ask(clinic, patient.address)
    stranger = make_patient()
    chain.settle()
    act = prepare_act(
        "GrantAccess",
        author=stranger.address,
        grantee=clinic.doctor.address,
        via=clinic.via,
        scope=folder_scope(1),
        permissions=1,
        notBefore=0,
        expiry=2**40 - 1,
        epoch=0,
        envelopes="0x" + "11" * 32,
        request=asked.id,
        serial=1,
    )
    row = submit_act(stranger.sign(act))
    chain.settle()
    assert Grant.objects.filter(patient=stranger.address, request=asked.id).exists(), row.error
    (seen,) = consent.requests_for(actor=patient)
    assert (seen.id, seen.state) == (asked.id, "open")


def test_a_refusal_tells_its_reason_to_who_asked(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    asked = ask(clinic, patient.address)
    chain.settle()
    for _ in range(2):
        requests.deny_request(actor=patient, request=asked.id, reason="I do not know you")
    assert consent.get_request(actor=patient, request=asked.id).state == "denied"
    chain.settle()
    answer = consent.get_request(actor=clinic.doctor, request=asked.id)
    assert (answer.state, answer.reason) == ("denied", "I do not know you")
    with pytest.raises(Conflict):
        grant(patient, clinic.doctor.address, clinic.via, request=asked.id)


def test_of_two_refusals_at_once_both_are_told_that_it_is_done(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(clinic, patient.address)
    chain.settle()
    others = [True]

    def key_while_another_click_is_faster(address: str) -> PublicKey:
        if others:
            others.clear()
            requests.deny_request(actor=patient, request=asked.id, reason="No")
        return key_of(address)

    monkeypatch.setattr(requests, "key_of", key_while_another_click_is_faster)
    requests.deny_request(actor=patient, request=asked.id, reason="No")
    assert Act.objects.by(patient.address).of_kind("DenyAccess").count() == 1


def test_of_two_withdrawals_at_once_both_are_told_that_it_is_done(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(clinic, patient.address)
    chain.settle()
    nonce_of, others = requests._nonce_of, [True]

    def nonce_while_another_click_is_faster(request: str) -> str:
        if others:
            others.clear()
            requests.withdraw_request(actor=clinic.doctor, request=asked.id)
            monkeypatch.setattr(requests, "submit_act", refuse)
        return nonce_of(request)

    def refuse(signed: SignedAct) -> Act:
        raise ActConflict(f"{signed.act.kind}: this place is taken")

    monkeypatch.setattr(requests, "_nonce_of", nonce_while_another_click_is_faster)
    requests.withdraw_request(actor=clinic.doctor, request=asked.id)
    assert Act.objects.by(clinic.doctor.address).of_kind("WithdrawRequest").count() == 1


def test_a_withdrawn_request_cannot_be_answered(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    asked = ask(clinic, patient.address)
    chain.settle()
    for _ in range(2):
        requests.withdraw_request(actor=clinic.doctor, request=asked.id)
    chain.settle()
    assert Request.objects.get(pk=asked.id).state == "withdrawn"
    with pytest.raises(Conflict):
        requests.deny_request(actor=patient, request=asked.id)


def test_strangers_know_nothing_of_a_request(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    asked = ask(clinic, patient.address)
    chain.settle()
    eve = make_patient("Eve Hill")
    with pytest.raises(NotFound):
        consent.get_request(actor=eve, request=asked.id)
    with pytest.raises(NotFound):
        requests.deny_request(actor=eve, request=asked.id)
    with pytest.raises(InvalidInput):
        requests.request_access(actor=eve, patient=patient.address, via=clinic.via, **TERMS)  # type: ignore[arg-type]


def test_a_mailed_request_looks_the_same_for_known_and_unknown(patient: Actor, clinic: Clinic) -> None:
    known = requests.request_by_email(
        actor=clinic.doctor,
        email=patient.user.email,
        via=clinic.via,
        **TERMS,  # type: ignore[arg-type]
    )
    unknown = requests.request_by_email(
        actor=clinic.doctor,
        email=fresh_email("Nobody"),
        via=clinic.via,
        **TERMS,  # type: ignore[arg-type]
    )
    for view in (known, unknown):
        assert (view.state, view.patient, view.by_email) == ("open", "", True)
    with pytest.raises(Conflict):
        requests.request_by_email(
            actor=clinic.doctor,
            email=patient.user.email,
            via=clinic.via,
            **TERMS,  # type: ignore[arg-type]
        )


def test_a_mailed_link_is_opened_by_its_addressee_alone_and_answered(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    secret = mail_link(clinic, patient.user.email.upper())
    row = EmailRequest.objects.get()
    assert secret not in str(row.__dict__)
    with pytest.raises(AccessRefused):
        requests.open_email_request(actor=make_patient("Eve Hill"), secret=secret)
    with pytest.raises(NotFound):
        requests.open_email_request(actor=patient, secret=secret[::-1])
    opened = requests.open_email_request(actor=patient, secret=secret)
    assert opened.terms is not None
    assert opened.terms.note == "Before the operation"
    assert [view.id for view in consent.requests_for(actor=patient)] == [opened.id]
    assert consent.get_request(actor=clinic.doctor, request=opened.id).patient == ""
    grant(patient, clinic.doctor.address, clinic.via, request=opened.id)
    assert consent.get_request(actor=clinic.doctor, request=opened.id).patient == ""
    chain.settle()
    answer = consent.get_request(actor=clinic.doctor, request=opened.id)
    assert (answer.state, answer.patient, answer.patient_name) == ("granted", patient.address, "Ada Moss")


def test_a_mailed_request_is_refused_with_a_reason(patient: Actor, clinic: Clinic) -> None:
    opened = requests.open_email_request(actor=patient, secret=mail_link(clinic, patient.user.email))
    requests.deny_request(actor=patient, request=opened.id, reason="Not now")
    answer = consent.get_request(actor=clinic.doctor, request=opened.id)
    assert (answer.state, answer.reason, answer.patient) == ("denied", "Not now", "")


def test_an_expired_link_opens_nothing(patient: Actor, clinic: Clinic) -> None:
    secret = mail_link(clinic, patient.user.email)
    EmailRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        requests.open_email_request(actor=patient, secret=secret)
