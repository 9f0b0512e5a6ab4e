"""A request has one answer at a time: of two at once one wins, and the other is told."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.actor import Actor
from accounts.services import affiliations
from chain.models import Act
from records.errors import Conflict
from records.models import RequestAnswer
from records.services import consent, grants, requests
from records.shapes import GrantProposal
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.records.conftest import Clinic, grant
from tests.records.racing import run_race
from tests.records.test_api import Api
from tests.records.test_requests import ask, mail_link

pytestmark = pytest.mark.django_db

ANSWERS = ("grant", "deny", "withdraw")
STATES = {"grant": "granted", "deny": "denied", "withdraw": "withdrawn"}


def ask_by_mail(clinic: Clinic, patient: Actor) -> str:
    """A mailed request that the patient has opened."""
    return requests.open_email_request(actor=patient, secret=mail_link(clinic, patient.user.email)).id


def propose(patient: Actor, clinic: Clinic, request: str) -> GrantProposal:
    """Return the proposal that the confirmation page shows."""
    return grants.propose_grant(
        actor=patient,
        grantee=clinic.doctor.address,
        via=clinic.via,
        folders=[1],
        expires_at=timezone.now() + timedelta(days=30),
        request=request,
    )


def answering(patient: Actor, clinic: Clinic, request: str) -> dict[str, Callable[[], object]]:
    """Each way to answer, ready to be done."""
    proposal = propose(patient, clinic, request)
    return {
        "grant": lambda: grants.grant_access(actor=patient, proposal=proposal),
        "deny": lambda: requests.deny_request(actor=patient, request=request, reason="No"),
        "withdraw": lambda: requests.withdraw_request(actor=clinic.doctor, request=request),
    }


def interrupt(monkeypatch: pytest.MonkeyPatch, faster: Callable[[], object]) -> None:
    """Let `faster` be done when the next answer has been checked, and before it is accepted."""
    look = consent.standing_of
    once = [faster]

    def look_early(request: str) -> str:
        found = look(request)
        if once:
            once.pop()()
        return found

    monkeypatch.setattr(consent, "standing_of", look_early)


@pytest.mark.parametrize("mailed", [False, True])
@pytest.mark.parametrize("slower", ANSWERS)
@pytest.mark.parametrize("faster", ANSWERS)
def test_of_two_answers_at_once_one_wins(
    faster: str,
    slower: str,
    mailed: bool,
    chain: ChainNode,
    patient: Actor,
    clinic: Clinic,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = ask_by_mail(clinic, patient) if mailed else ask(clinic, patient.address).id
    chain.settle()
    first, second = answering(patient, clinic, request), answering(patient, clinic, request)
    acts = Act.objects.count()
    interrupt(monkeypatch, first[faster])
    if faster == slower != "grant":
        second[slower]()  # somebody clicked twice
    else:
        with pytest.raises(Conflict, match="answered or taken back already"):
            second[slower]()
    assert RequestAnswer.objects.get().number == 1
    assert consent.standing_of(request) == STATES[faster]
    assert Act.objects.count() <= acts + 1
    chain.settle()
    assert consent.standing_of(request) == STATES[faster]
    assert not Act.objects.exclude(state="confirmed").exists()


@pytest.mark.parametrize("door", ["page", "api"])
def test_the_slower_is_told_by_page_and_api(
    door: str, chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask(clinic, patient.address).id
    chain.settle()
    browser, api = sign_in(patient.user), Api(patient)
    interrupt(monkeypatch, answering(patient, clinic, request)["grant"])
    if door == "page":
        answer = browser.post(f"/requests/{request}/deny/", {"reason": ""})
    else:
        answer = api.post(f"requests/{request}/deny", reason="")
    assert (answer.status_code, b"answered or taken back already" in answer.content) == (409, True)
    assert consent.get_request(actor=patient, request=request).state == "granted"


@pytest.mark.parametrize("mailed", [False, True])
def test_a_request_whose_answer_fails_is_open_again(
    mailed: bool, chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    request = ask_by_mail(clinic, patient) if mailed else ask(clinic, patient.address).id
    chain.settle()
    answers = answering(patient, clinic, request)
    affiliations.leave_institution(actor=clinic.doctor, institution=clinic.institution)
    chain.settle()
    answers["grant"]()
    assert consent.standing_of(request) == "granted"
    chain.settle()
    assert Act.objects.of_kind("GrantAccess").get().state in ("failed", "returned")
    assert consent.standing_of(request) == "open"
    requests.deny_request(actor=patient, request=request)
    chain.settle()
    assert consent.standing_of(request) == "denied"
    assert RequestAnswer.objects.get().number == 2


def test_more_can_be_given_but_not_twice_at_once(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask(clinic, patient.address).id
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via, request=request)
    first, second = answering(patient, clinic, request), answering(patient, clinic, request)
    with pytest.raises(Conflict):
        first["deny"]()
    with pytest.raises(Conflict):
        first["withdraw"]()
    interrupt(monkeypatch, first["grant"])
    with pytest.raises(Conflict):
        second["grant"]()
    chain.settle()
    assert Act.objects.of_kind("GrantAccess").confirmed().count() == 2


@pytest.mark.servers
def test_of_many_processes_one_claims_each_answer(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    template = tmp_path_factory.getbasetemp() / "migrated.sqlite3"
    wins = run_race("tests.records.answers_race", tmp_path, template)
    assert set(wins["won"].values()) == {1}
    assert len(wins["won"]) == wins["asked"]
    assert wins["lost"] == 3 * wins["asked"]


def test_an_answer_shows_before_the_request_is_confirmed(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    request = ask(clinic, patient.address).id
    requests.deny_request(actor=patient, request=request, reason="No")
    requests.deny_request(actor=patient, request=request, reason="No")  # again does nothing
    assert consent.get_request(actor=patient, request=request).state == "denied"
    assert consent.get_request(actor=clinic.doctor, request=request).state == "denied"
    with pytest.raises(Conflict):
        propose_and_grant(patient, clinic, request)

    second = ask(clinic, patient.address).id
    requests.withdraw_request(actor=clinic.doctor, request=second)
    assert consent.get_request(actor=clinic.doctor, request=second).state == "withdrawn"
    third = ask(clinic, patient.address).id
    chain.settle()
    states = [consent.get_request(actor=patient, request=each).state for each in (request, second, third)]
    assert states == ["denied", "withdrawn", "open"]


def propose_and_grant(patient: Actor, clinic: Clinic, request: str) -> None:
    grants.grant_access(actor=patient, proposal=propose(patient, clinic, request))
