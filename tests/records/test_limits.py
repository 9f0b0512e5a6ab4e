"""Limits: each of the table is reached once, by the service that does it, and told by page and API."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.actor import Actor
from accounts.checks import check_settings
from accounts.errors import LimitReached
from accounts.limits import LIMITS
from accounts.models import Errand, Invitation, Membership, Notification
from accounts.notifications import notify
from accounts.services import affiliations, invitations
from chain.acts.messages import prepare_act
from chain.models import Act, Event
from records.handlers import _within_limit
from records.models import EmailRequest, Record, Upload
from records.services import documents, folders, inbox, requests, revocations
from records.services.errands import WRAP
from records.services.export import plan_export
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode, fresh_person
from tests.exploits.outsider import Outsider
from tests.mails import outbox
from tests.people import fresh_email, make_doctor, make_patient
from tests.records.conftest import FILE, Clinic, grant, reopened, upload
from tests.records.racing import ROOT
from tests.records.test_api import Api
from tests.records.test_requests import TERMS, ask

pytestmark = pytest.mark.django_db

SIZE = len(FILE)
ALLOWED = 2


@dataclass
class World:
    """A clinic with two doctors, and patients to be bothered."""

    chain: ChainNode
    clinic: Clinic
    colleague: Clinic
    patients: list[Actor]
    asked: set[str] = field(default_factory=set)

    def next_patient(self) -> Actor:
        """A patient nobody has bothered."""
        patient = next(one for one in self.patients if one.address not in self.asked)
        self.asked.add(patient.address)
        return patient

    def each_doctor(self) -> Clinic:
        """The doctors in turn."""
        self.clinic, self.colleague = self.colleague, self.clinic
        return self.clinic


@pytest.fixture
def world(chain: ChainNode, clinic: Clinic) -> World:
    other = make_doctor(clinic.institution, "Omar Finch")
    affiliations.affiliate_doctor(actor=clinic.manager, institution=clinic.institution, doctor=other.address)
    patients = [make_patient(f"Patient {number}") for number in range(ALLOWED + 2)]
    chain.settle()
    return World(chain, clinic, Clinic(clinic.institution, clinic.manager, reopened(other)), patients)


def withdraw(clinic: Clinic, request: str) -> None:
    requests.withdraw_request(actor=clinic.doctor, request=request)


def ask_and_withdraw(world: World, clinic: Clinic) -> None:
    asked = ask(clinic, world.patients[0].address)
    world.chain.settle()
    withdraw(clinic, asked.id)
    world.chain.settle()


def mail_and_withdraw(clinic: Clinic, email: str) -> None:
    asked = requests.request_by_email(actor=clinic.doctor, email=email, via=clinic.via, **TERMS)  # type: ignore[arg-type]
    withdraw(clinic, asked.id)


def leave(clinic: Clinic, patient: Actor) -> None:
    upload(clinic.doctor, patient=patient.address, via=clinic.via)


def invite(world: World, email: str) -> None:
    invitations.invite_member(
        institution=world.clinic.institution, email=email, role=Membership.Role.DOCTOR, invited_by=None
    )


def share_and_stop(world: World) -> None:
    patient, clinic = world.patients[0], world.clinic
    grant(patient, clinic.doctor.address, clinic.via)
    revocations.revoke_access(
        actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=f"0x{1:064x}"
    )


def fill_folder(world: World) -> None:
    upload(world.patients[0])
    world.chain.settle()


def fill_inbox(world: World) -> None:
    leave(world.clinic, world.patients[0])
    world.chain.settle()


# What a limit bounds, done once. `ALLOWED` times it goes through.
DONE: dict[str, Callable[[World], object]] = {
    "ACTS_PER_ACCOUNT": lambda world: upload(world.patients[0]),
    "GRANTS_PER_PATIENT": share_and_stop,
    "FOLDERS_PER_PATIENT": lambda world: folders.create_folder(
        actor=world.patients[0], name=secrets.token_hex(4)
    ),
    "REQUESTS_PER_SENDER": lambda world: ask(world.clinic, world.next_patient().address),
    "REQUESTS_TO_ONE_PATIENT": lambda world: ask_and_withdraw(world, world.clinic),
    "REQUESTS_PER_PATIENT": lambda world: ask_and_withdraw(world, world.each_doctor()),
    "REQUESTS_PER_INSTITUTION": lambda world: ask(world.each_doctor(), world.next_patient().address),
    "MAILS_PER_SENDER": lambda world: mail_and_withdraw(world.clinic, fresh_email("Al")),
    "MAILS_TO_ONE_ADDRESS": lambda world: mail_and_withdraw(world.each_doctor(), "al@example.org"),
    "MAILS_PER_INSTITUTION": lambda world: mail_and_withdraw(world.each_doctor(), fresh_email("Al")),
    "INVITATIONS_TO_ONE_ADDRESS": lambda world: invite(world, "al@example.org"),
    "INVITATIONS_PER_INSTITUTION": lambda world: invite(world, fresh_email("Al")),
    "INBOX_PER_SENDER": lambda world: leave(world.clinic, world.next_patient()),
    "INBOX_TO_ONE_PATIENT": lambda world: leave(world.clinic, world.patients[0]),
    "INBOX_PER_PATIENT": lambda world: leave(world.each_doctor(), world.patients[0]),
    "INBOX_PER_INSTITUTION": lambda world: leave(world.each_doctor(), world.next_patient()),
    "BYTES_PER_SENDER": lambda world: leave(world.clinic, world.next_patient()),
    "BYTES_PER_INSTITUTION": lambda world: leave(world.each_doctor(), world.next_patient()),
    "BYTES_PER_PATIENT": fill_folder,
    "INBOX_BYTES_PER_PATIENT": fill_inbox,
}
LEFT_OUT = {name for name, limit in LIMITS.items() if not limit.words}


def set_limit(settings: Settings, world: World, name: str) -> None:
    """Let it be reached after it was done so often."""
    most = ALLOWED
    if "BYTES" in name:
        most = ALLOWED * (SIZE + 200)  # a stored file is somewhat larger
    if name == "FOLDERS_PER_PATIENT":
        most = ALLOWED + 1  # General is there from the beginning
    if name == "ACTS_PER_ACCOUNT":
        most = ALLOWED + Act.objects.by(world.patients[0].address).count()
    if name == "INVITATIONS_PER_INSTITUTION":
        most = ALLOWED + Invitation.objects.count()
    settings.LIMITS = {**settings.LIMITS, name: most}


def rows() -> tuple[int, ...]:
    """Count the rows that cost somebody something."""
    kinds = (Act, EmailRequest, Invitation, Notification)
    return (*(kind.objects.count() for kind in kinds), Upload.objects.filter(state="done").count())


def test_every_limit_is_tried() -> None:
    assert set(DONE) | LEFT_OUT == set(LIMITS)


def test_every_limit_is_documented() -> None:
    documented = (ROOT / "docs" / "OPERATIONS.md").read_text()
    for name, limit in LIMITS.items():
        assert f"| `LIMIT_{name}` | {limit.most} |" in documented


@pytest.mark.parametrize("name", DONE)
def test_beyond_a_limit_nothing_is_taken(name: str, world: World, settings: Settings) -> None:
    set_limit(settings, world, name)
    for _ in range(ALLOWED):
        DONE[name](world)
    before, mails = rows(), len(outbox())
    with pytest.raises(LimitReached) as refused:
        DONE[name](world)
    assert (rows(), len(outbox())) == (before, mails)
    assert str(refused.value)[-1] == "."
    if LIMITS[name].daily:
        assert "Try again tomorrow." in str(refused.value)
        assert 0 < (refused.value.retry_after or 0) <= 86_400
    settings.LIMITS = {**settings.LIMITS, name: 0}
    DONE[name](world)


def test_a_limit_is_over_after_a_day(world: World, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "REQUESTS_PER_SENDER": 1}
    ask(world.clinic, world.next_patient().address)
    with pytest.raises(LimitReached):
        ask(world.clinic, world.patients[1].address)
    Act.objects.of_kind("RequestAccess").update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    ask(world.clinic, world.patients[1].address)


def test_stopping_to_share_and_refusing_are_never_refused(world: World, settings: Settings) -> None:
    patient, clinic = world.patients[0], world.clinic
    asked = ask(clinic, patient.address).id
    grant(patient, clinic.doctor.address, clinic.via)
    world.chain.settle()
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 1)
    revocations.revoke_access(
        actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=f"0x{1:064x}"
    )
    requests.deny_request(actor=patient, request=asked, reason="No")
    inbox.block_sender(actor=patient, sender=clinic.via)
    world.chain.settle()
    assert not Act.objects.exclude(state="confirmed").exists()


def test_page_and_api_answer_alike_and_say_when(world: World, settings: Settings) -> None:
    settings.LIMITS = {
        **settings.LIMITS,
        "REQUESTS_PER_SENDER": 1,
        "INBOX_PER_SENDER": 1,
        "FOLDERS_PER_PATIENT": 1,
    }
    doctor, patient = world.clinic.doctor, world.patients[1].address
    ask(world.clinic, world.next_patient().address)
    leave(world.clinic, world.next_patient())
    browser, api = sign_in(doctor.user), Api(doctor)
    terms = {
        "patient": patient,
        "via": world.clinic.via,
        "purpose": "TREAT",
        "permissions": "read",
        "days": 9,
    }
    record = {"title": "Advert", "kind": "11502-2", "file_name": "a.pdf", "size": 9, "via": world.clinic.via}
    answers = [
        browser.post("/requests/new/", {**terms, "note": ""}),
        api.post("requests", **terms),
        browser.post(
            f"/records/upload/?patient={patient}", {**record, "folder": "0", "service_date": "2026-03-02"}
        ),
        api.post("uploads", **record, patient=patient),
    ]
    for answer, words in zip(
        answers, ["1 requests a day"] * 2 + ["1 records in inboxes a day"] * 2, strict=True
    ):
        assert answer.status_code == 429, answer.content.decode()
        assert words in answer.content.decode()
        assert 0 < int(answer.headers["Retry-After"]) <= 86_400
    own = sign_in(world.patients[0].user).post("/records/folders/new/", {"name": "Teeth"})
    assert (own.status_code, "You can have 1 folders." in own.content.decode()) == (429, True)


def test_a_managers_page_says_that_invitations_are_used_up(world: World, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "INVITATIONS_TO_ONE_ADDRESS": 1}
    browser = sign_in(world.clinic.manager.user)
    page, form = (
        f"/institutions/{world.clinic.institution.pk}/invite/",
        {"email": "al@example.org", "role": "doctor"},
    )
    assert browser.post(page, form).status_code == 302
    answer = browser.post(page, form)
    assert (answer.status_code, "Try again tomorrow." in answer.content.decode()) == (429, True)


def test_the_same_mail_goes_out_so_often_a_day(world: World, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "NOTICES_PER_PERSON": ALLOWED}
    user = world.patients[0].user
    assert [notify(user, "access_requested") is not None for _ in range(4)] == [True, True, False, False]
    assert notify(user, "access_ended") is not None, "another kind of mail"


def send_raw(world: World, patient: Actor, folder: int, count: int) -> None:
    """Records that the doctor signs, and that somebody else sends to the contract past this portal."""
    doctor, courier = world.clinic.doctor, fresh_outsider(world.chain)
    for _ in range(count):
        act = prepare_act(
            "NewRecord",
            author=doctor.address,
            patient=patient.address,
            via=world.clinic.via,
            folder=folder,
            epoch=0,
            flags=0,
            **{name: secrets.token_bytes(32) for name in ("nonce", "content", "description", "secret")},
        )
        assert courier.attack(act.calldata(doctor.sign(act).signature)) == ""
    world.chain.settle()


def fresh_outsider(chain: ChainNode) -> Outsider:
    """Somebody with money for gas."""
    person = fresh_person()
    chain.fund(person.address)
    return Outsider(person.address, person.key)


def test_what_arrives_past_the_portal_is_counted_and_not_shown_one_by_one(
    world: World, settings: Settings
) -> None:
    patient = world.patients[0]
    settings.LIMITS = {**settings.LIMITS, "INBOX_SHOWN_PER_SENDER": 3, "INBOX_TO_ONE_PATIENT": 1}
    leave(world.colleague, patient)
    world.chain.settle()
    send_raw(world, patient, 0, 5)
    assert documents.count_inbox(patient.address) == 6
    shown = documents.list_records(actor=patient, patient=patient.address)
    assert sorted(record.author_name for record in shown) == ["Dana Reed"] * 3 + ["Omar Finch"]
    answer = Api(patient).get("records")
    assert (answer.headers["X-Total-Count"], answer.headers["X-Folded-Count"]) == ("4", "2")
    assert plan_export(actor=patient, patient=patient.address).record_count == 6  # all are hers to take
    page = sign_in(patient.user).get("/inbox/").content.decode()
    assert "And 2 more from Dana Reed." in page
    assert page.count("Block sender") == 4
    assert not Errand.objects.filter(account=patient.address, kind=WRAP).exists()
    assert not Notification.objects.filter(user=patient.user).exists()
    inbox.refuse_record(
        actor=patient, record=next(record.record for record in shown if record.author_name == "Dana Reed")
    )
    world.chain.settle()
    assert [(more.name, more.count) for more in inbox.list_folded(actor=patient)] == [("Dana Reed", 1)]


def test_many_doctors_of_one_institution_fill_no_inbox(world: World, settings: Settings) -> None:
    patient = world.patients[0]
    for clinic in (world.clinic, world.colleague):
        leave(clinic, patient)
        leave(clinic, patient)
    world.chain.settle()
    settings.LIMITS = {**settings.LIMITS, "INBOX_SHOWN_PER_INSTITUTION": 3}
    assert len(documents.list_records(actor=patient, patient=patient.address)) == 3
    assert sum(more.count for more in inbox.list_folded(actor=patient)) == 1


def test_one_sender_leaves_a_patient_so_many_key_tasks(world: World, settings: Settings) -> None:
    patient = world.patients[0]
    grant(patient, world.clinic.doctor.address, world.clinic.via, permissions="write")
    world.chain.settle()
    settings.LIMITS = {**settings.LIMITS, "KEY_TASKS_PER_SENDER": 3}
    for _ in range(2):
        send_raw(world, patient, 1, 2)
    assert Record.objects.filter(patient=patient.address).count() == 4
    assert Errand.objects.filter(account=patient.address, kind=WRAP).count() == 3


@pytest.mark.django_db
def test_key_tasks_of_many_senders_are_counted_together(django_assert_max_num_queries: Any) -> None:
    events = [
        Event(name="RecordAdded", author=f"0x{number:040x}", args={"patient": f"0x{number + 1:040x}"})
        for number in range(400)
    ]
    with django_assert_max_num_queries(1):
        assert _within_limit(events) == events


def test_a_limit_is_set_by_the_environment_and_checked(settings: Settings) -> None:
    code = "import json, medrec.settings as s; print(json.dumps(s.LIMITS['REQUESTS_PER_SENDER']))"
    environment = {**os.environ, "LIMIT_REQUESTS_PER_SENDER": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == 7
    settings.LIMITS = {**settings.LIMITS, "REQUESTS_PER_SENDER": -1}
    assert [error.id for error in check_settings()] == ["accounts.E004"]
