"""Whatever was accepted and the chain refused: its author is told, and does it again or leaves it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction

from accounts.actor import Actor
from accounts.models import Errand
from accounts.services import affiliations, errands
from chain.acts.messages import ZERO_ADDRESS, folder_scope, prepare_act
from chain.contract.abi import act_types
from chain.contract.refusals import Refusal
from chain.contract.slots import slot_affiliation
from chain.models import Act, ActState, Event
from chain.outbox.settle import refuse_act
from chain.outbox.submit import next_number, submit_act
from chain.status.overview import overview
from records import access
from records.errors import Conflict, NotFound
from records.services import (
    consent,
    documents,
    folders,
    inbox,
    refusals,
    requests,
    revocations,
    senders,
    sharing,
)
from tests.accounts.conftest import sign_in
from tests.chain.raw_acts import send_signed
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import Clinic, grant, run_errands, upload
from tests.records.test_api import Api
from tests.records.test_requests import ask

pytestmark = pytest.mark.django_db

JARGON = ("chain", "ledger", "act ", "vault", "errand", "scope", "epoch", "0x", "serial", "contract")
LOST = (ActState.FAILED, ActState.RETURNED)
WORD = "0x" + "77" * 32
KEY = bytes([1]) + bytes(1216)
OF_DOCTORS = ("GiveUpAccess", "LeaveInstitution", "RequestAccess", "WithdrawRequest")


def fields_of(kind: str, patient: str, clinic: Clinic) -> dict[str, Any]:
    """An act of this kind that may be accepted, but for its author."""
    party = {"via": ZERO_ADDRESS, "scope": folder_scope(1)}
    files = {"folder": 1, "epoch": 0, "flags": 0, "content": WORD, "description": WORD, "secret": bytes(40)}
    fields: dict[str, dict[str, Any]] = {
        "AffiliateDoctor": {"doctor": clinic.doctor.address, "affiliated": False},
        "BlockSender": {"sender": clinic.doctor.address, "blocked": True, "serial": 1},
        "CloseRecord": {"patient": patient, "record": WORD, "nonce": bytes(32), "reason": 2},
        "DenyAccess": {"request": WORD, "reason": bytes(32)},
        "GiveUpAccess": {"patient": patient, **party, "serial": 1},
        "LeaveInstitution": {"institution": clinic.via},
        "ModifyRecord": {"patient": patient, "via": ZERO_ADDRESS, "record": WORD, "version": 1, **files},
        "NameFolder": {"folder": 1, "name": WORD, "serial": 1},
        "NameRecovery": {"recovery": clinic.doctor.address, "serial": 1},
        "NewRecord": {"patient": patient, "via": ZERO_ADDRESS, "nonce": WORD, **files},
        "PublishKey": {"version": 2, "key": KEY},
        "RekeyFolder": {"folder": 1, "fromEpoch": 0, "toEpoch": 1, "envelopes": WORD},
        "ReplaceKeys": {"generation": 1, "signer": clinic.doctor.address, "key": KEY, "envelopes": WORD},
        "RequestAccess": {"patient": patient, "via": clinic.via, "nonce": WORD, "envelopes": WORD},
        "RevokeAccess": {"grantee": clinic.doctor.address, **party, "serial": 1},
        "WithdrawRequest": {"patient": patient, "request": WORD, "nonce": bytes(32)},
    }
    times = {"permissions": 1, "notBefore": 0, "expiry": 2_000_000_000, "epoch": 0}
    named = {"envelopes": WORD, "request": bytes(32), "serial": 1}
    fields["GrantAccess"] = {"grantee": clinic.doctor.address, **party, **times, **named}
    return fields[kind]


def refuse(kind: str, *, state: ActState = ActState.RETURNED, code: str = "RequestNotOpen") -> Act:
    """Settle a waiting act that the contract refuses, as the relayer does."""
    act = Act.objects.waiting().get(kind=kind)
    assert refuse_act(act, state, Refusal(code, "The contract says no."))
    return act


def the_only(actor: Actor) -> refusals.Refusal:
    """Return the one refusal that the actor has to decide on."""
    (found,) = refusals.list_refusals(actor=actor)
    return found


def again(actor: Actor) -> None:
    """Do it again, over the API, and no second time."""
    api, found = Api(actor), the_only(actor)
    answer = api.post(f"refusals/{found.id}/send-again")
    assert (answer.status_code, answer.json()["kind"]) == (202, found.kind), answer.content
    assert api.post(f"refusals/{found.id}/send-again").status_code == 404
    assert api.get("refusals").json() == []


@pytest.mark.parametrize("state", LOST)
@pytest.mark.parametrize("kind", sorted(set(act_types()) - set(refusals.OF_THE_PORTAL) - {"AffiliateDoctor"}))
def test_no_refusal_is_without_a_key_task_or_a_notice(
    kind: str, state: ActState, patient: Actor, clinic: Clinic
) -> None:
    author = clinic.doctor if kind in OF_DOCTORS else patient
    fields = fields_of(kind, patient.address, clinic)
    if kind == "LeaveInstitution":
        fields["serial"] = next_number(slot_affiliation(clinic.via, author.address))
    Errand.objects.all().delete()
    act = submit_act(author.sign(prepare_act(kind, author=author.address, **fields)))
    refuse_act(act, state, Refusal("EpochNotCurrent", "The folder has moved."))
    left = Errand.objects.filter(account=author.address, state="open")
    errand = left.get() if kind == "RekeyFolder" else left.exclude(kind="rekey-folder").get()
    cards = errands.decisions_for(author.address)
    if kind in refusals.WITHOUT_ASKING:
        assert (cards, errands.waiting_for(author.address)) == ([], 1)
        return
    (card,) = cards
    assert not any(word in f"{card.title} {card.text}".lower() for word in JARGON)
    assert card.title in sign_in(author.user).get("/errands/").content.decode()
    api = Api(author)
    (listed,) = api.get("refusals").json()
    assert (listed["kind"], listed["id"], listed["code"]) == (kind, str(errand.pk), "EpochNotCurrent")
    assert api.post(f"refusals/{errand.pk}/drop").status_code == 204
    assert api.get("refusals").json() == []
    assert errands.decisions_for(author.address) == []
    assert api.post(f"refusals/{errand.pk}/drop").status_code == 404


@pytest.mark.parametrize("affiliated", [True, False])
def test_an_affiliation_that_was_refused_waits_for_its_managers(
    affiliated: bool, chain: ChainNode, clinic: Clinic
) -> None:
    Errand.objects.all().delete()
    if affiliated:
        affiliations.disaffiliate_doctor(
            actor=clinic.manager, institution=clinic.institution, doctor=clinic.doctor.address
        )
        refuse("AffiliateDoctor")
        kind = affiliations.END_AFFILIATION
        assert Errand.objects.filter(account=clinic.manager.address, kind=kind, state="open").exists()
        assert run_errands(clinic.manager)
        chain.settle()
        assert Event.objects.filter(name="DoctorAffiliated", args__affiliated=False).count() == 1
        assert not Errand.objects.filter(kind=kind, state="open").exists()
        return
    affiliations.leave_institution(actor=clinic.doctor, institution=clinic.institution)
    refuse("LeaveInstitution")
    assert run_errands(clinic.doctor) == 1
    chain.settle()
    assert Event.objects.filter(name="InstitutionLeft").count() == 1


def test_what_the_portal_s_own_keys_sign_stands_on_the_operations_page(chain: ChainNode) -> None:
    act = chain.admit(make_patient().address)
    refuse_act(act, ActState.FAILED, Refusal("AccessControlUnauthorizedAccount", "No role."))
    assert [one.kind for one in overview().ended] == ["AdmitInstitution"]
    assert not Errand.objects.filter(account=act.author).exists()


def test_every_kind_is_told_by_one_of_these_ways() -> None:
    ways = [*refusals.DECIDED, *refusals.WITHOUT_ASKING, *refusals.OF_THE_PORTAL, "NewRecord", "ModifyRecord"]
    assert sorted(ways) == sorted(act_types())


def test_a_record_whose_closing_was_refused_is_shown_open(chain: ChainNode, patient: Actor) -> None:
    record = upload(patient).record
    chain.settle()
    documents.close_record(actor=patient, record=record)
    assert documents.get_record(actor=patient, record=record).closed
    refuse("CloseRecord", state=ActState.FAILED)
    assert not documents.get_record(actor=patient, record=record).closed
    page = sign_in(patient.user)
    shown = page.get(f"/records/{record}/").content.decode()
    assert "A record was not closed." in shown
    assert the_only(patient).record == record
    answer = page.post(f"/not-done/{the_only(patient).id}/again/", follow=True)
    assert answer.status_code == 200
    chain.settle()
    assert documents.get_record(actor=patient, record=record).closed
    assert refusals.list_refusals(actor=patient) == []
    assert Act.objects.get(kind="CloseRecord").state == "confirmed"


def test_a_real_refusal_by_the_contract_ends_there_too(chain: ChainNode, patient: Actor) -> None:
    fields = {"patient": patient.address, "record": WORD, "nonce": bytes(32), "reason": 2}
    act = prepare_act("CloseRecord", author=patient.address, **fields)
    with transaction.atomic():
        submit_act(patient.sign(act))
    chain.settle()
    chain.settle()
    assert (the_only(patient).kind, the_only(patient).code) == ("CloseRecord", "UnknownRecord")


def test_blocking_is_done_again(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    inbox.block_sender(actor=patient, sender=clinic.doctor.address)
    refuse("BlockSender")
    assert not senders.is_blocked(patient.address, clinic.doctor.address)
    again(patient)
    chain.settle()
    assert senders.is_blocked(patient.address, clinic.doctor.address)


def test_a_newer_word_decides_what_was_refused(patient: Actor, clinic: Clinic) -> None:
    inbox.block_sender(actor=patient, sender=clinic.doctor.address)
    refuse("BlockSender")
    inbox.block_sender(actor=patient, sender=clinic.doctor.address)
    assert refusals.list_refusals(actor=patient) == []


def test_a_refusal_and_a_taking_back_are_done_again(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    for kind, actor in (("DenyAccess", patient), ("WithdrawRequest", clinic.doctor)):
        request = ask(clinic, patient.address).id
        chain.settle()
        if kind == "DenyAccess":
            requests.deny_request(actor=patient, request=request, reason="Not now")
        else:
            requests.withdraw_request(actor=clinic.doctor, request=request)
        refuse(kind)
        assert consent.standing_of(request) == "open"
        again(actor)
        chain.settle()
        assert consent.standing_of(request) in ("denied", "withdrawn")


def test_an_answer_is_not_done_again_over_another_one(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    request = ask(clinic, patient.address).id
    chain.settle()
    requests.deny_request(actor=patient, request=request)
    refuse("DenyAccess")
    grant(patient, clinic.doctor.address, clinic.via, request=request)
    with pytest.raises(Conflict):
        refusals.send_refused(actor=patient, refusal=the_only(patient).id)
    refusals.drop_refused(actor=patient, refusal=the_only(patient).id)


def test_a_request_is_sent_again(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    ask(clinic, patient.address)
    refuse("RequestAccess", code="NotAffiliated")
    again(clinic.doctor)
    chain.settle()
    (view,) = consent.requests_for(actor=patient)
    assert (view.state, view.terms is not None) == ("open", True)


def test_a_folder_s_name_is_saved_again(chain: ChainNode, patient: Actor) -> None:
    folders.create_folder(actor=patient, name="Heart")
    refuse("NameFolder", state=ActState.FAILED)
    again(patient)
    chain.settle()
    assert Act.objects.confirmed().of_kind("NameFolder").count() == 1


@pytest.mark.parametrize("what", ["folder", "record"])
def test_access_is_given_again(what: str, chain: ChainNode, patient: Actor) -> None:
    person, record = make_patient("Fred Hart"), upload(patient).record
    chain.settle()
    chosen: dict[str, Any] = {"folders": (), "records": (record,)} if what == "record" else {}
    grant(patient, person.address, "", permissions="write", **chosen)
    refuse("GrantAccess")
    assert not access.can_read(person, record)
    again(patient)
    run_errands(patient)
    chain.settle()
    assert documents.get_record(actor=person, record=record).readable


def test_access_is_given_back_again(chain: ChainNode, patient: Actor) -> None:
    person = make_patient("Fred Hart")
    chain.settle()
    grant(patient, person.address, "")
    chain.settle()
    revocations.give_up_access(actor=person, patient=patient.address, via="", scope=folder_scope(1))
    refuse("GiveUpAccess", code="GrantNotCurrent")
    again(person)
    chain.settle()
    assert Act.objects.get(kind="GiveUpAccess").state == "confirmed"


def test_what_was_done_after_all_is_no_refusal(chain: ChainNode, patient: Actor) -> None:
    record = upload(patient).record
    chain.settle()
    act = documents.close_record(actor=patient, record=record)
    chain.relay()
    refuse("CloseRecord")
    assert the_only(patient).record == record
    chain.mine(2)
    chain.sync()
    act.refresh_from_db()
    assert act.state == "confirmed"
    assert refusals.list_refusals(actor=patient) == []


def test_an_upload_whose_folder_had_moved_goes_again_at_the_next_call_that_is_no_get(
    chain: ChainNode, patient: Actor
) -> None:
    record = upload(patient).record
    refuse("NewRecord", code="EpochNotCurrent")
    cache.clear()
    assert Api(patient).get("key-tasks").json() == {"waiting_count": 1}
    assert not Act.objects.waiting().of_kind("NewRecord").exists()
    assert Api(patient).post("key-tasks").json() == {"waiting_count": 0}
    assert Act.objects.waiting().of_kind("NewRecord").count() == 1
    assert refusals.list_refusals(actor=patient) == []
    chain.settle()
    assert documents.get_record(actor=patient, record=record).state == "confirmed"


def test_a_refusal_is_its_author_s_alone(patient: Actor, clinic: Clinic) -> None:
    inbox.block_sender(actor=patient, sender=clinic.doctor.address)
    refuse("BlockSender")
    found, other = the_only(patient), make_patient("Olga Pine")
    calls: list[Callable[..., object]] = [refusals.get_refusal, refusals.send_refused, refusals.drop_refused]
    for call in calls:
        with pytest.raises(NotFound):
            call(actor=other, refusal=found.id)
    assert Api(other).get("refusals").json() == []
    browser = sign_in(other.user)
    assert browser.get(f"/not-done/{found.id}/").status_code == 404
    assert browser.post(f"/not-done/{found.id}/leave/").status_code == 404
    assert the_only(patient) == found


def test_who_loses_a_serial_to_another_portal_is_told(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    inbox.block_sender(actor=patient, sender=clinic.doctor.address)
    act = Act.objects.get(kind="BlockSender")
    send_signed(chain, patient.sign(prepare_act("BlockSender", **act.fields | {"blocked": False})))
    assert not senders.is_blocked(patient.address, clinic.doctor.address)
    (refusal,) = refusals.list_refusals(actor=patient)
    assert refusal.title == "A sender was not blocked"
    again(patient)
    chain.settle()
    assert senders.is_blocked(patient.address, clinic.doctor.address)


def test_a_grant_that_another_portal_overtakes_is_shown_as_it_stands(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    grant(patient, clinic.doctor.address, clinic.via)
    act = Act.objects.get(kind="GrantAccess")
    sooner = act.fields | {"expiry": act.fields["expiry"] - 86_400}
    send_signed(chain, patient.sign(prepare_act("GrantAccess", **sooner)))
    (held,) = access.live_grants(clinic.doctor, patient=patient.address)
    (shown,) = sharing.grants_by(actor=patient)
    assert (shown.state, shown.expires_at) == ("live", held.expiry)
    assert [refusal.kind for refusal in refusals.list_refusals(actor=patient)] == ["GrantAccess"]
