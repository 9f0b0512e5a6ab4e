"""Asking, granting, reading and revoking through the pages."""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from chain.models import Act
from records.models import EmailRequest
from tests.chain_node import ChainNode
from tests.mails import newest_mail
from tests.people import make_person
from tests.records.web.conftest import BLOOD, Clinic, Visitor, describe, send, visit

pytestmark = pytest.mark.django_db

NEXT_MONTH = (timezone.localdate() + timedelta(days=30)).isoformat()
FOLDER_ONE = f"0x{1:064x}"


def ask(clinic: Clinic, patient: str, **more: object) -> str:
    """The doctor asks. Return the request's page."""
    values = {
        "patient": patient,
        "via": clinic.institution.address,
        "purpose": "TREAT",
        "permissions": "read",
        "days": "60",
        "note": "Before your appointment",
    }
    answer = clinic.doctor.client.post("/requests/new/", values | more)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"])


def propose(client: Client, where: str, **more: object) -> str:
    """Choose a folder to share. The proposal that the confirmation page shows."""
    values = {"what": "folders", "folders": "1", "permissions": "read", "expires_at": NEXT_MONTH}
    answer = client.post(where, values | more)
    page = answer.content.decode()
    assert answer.status_code == 200, page
    assert "This is what you sign" in page
    assert "&quot;primaryType&quot;: &quot;GrantAccess&quot;" in page
    found = re.search(r'name="proposal" value="([^"]+)"', page)
    assert found
    return found[1]


def grant(chain: ChainNode, clinic: Clinic, patient: Visitor, **more: object) -> None:
    """The patient gives the doctor access without being asked; the chain confirms."""
    query = urlencode({"grantee": clinic.doctor.address})
    proposal = propose(patient.client, f"/sharing/new/?{query}", via=clinic.institution.address, **more)
    patient.client.post("/sharing/confirm/", {"proposal": proposal})
    chain.settle()


def test_asked_granted_read_and_revoked(chain: ChainNode, clinic: Clinic, patient: Visitor) -> None:
    doctor = clinic.doctor.client
    page = send(patient.client, describe(patient.client))
    asked = ask(clinic, patient.address)
    chain.settle()
    home = patient.client.get("/").content.decode()
    assert "Dana Reed" in home
    assert doctor.get(page).status_code == 404
    shown = patient.client.get(asked).content.decode()
    assert "Before your appointment" in shown

    proposal = propose(patient.client, f"/sharing/new/?request={asked.split('/')[-2]}")
    for _ in range(2):  # a double click
        assert patient.client.post("/sharing/confirm/", {"proposal": proposal}).status_code == 302
    assert Act.objects.filter(kind="GrantAccess").count() == 1
    assert doctor.get(page).status_code == 404  # a grant only counts once the chain has confirmed it
    chain.settle()

    assert "Asha Verma" in doctor.get("/").content.decode()
    assert "Blood report" in doctor.get(f"/patients/{patient.address}/").content.decode()
    opened = doctor.get(f"{page}versions/1/file/")
    assert opened.getvalue() == BLOOD
    assert "Dana Reed" in patient.client.get("/history/").content.decode()

    named = {"grantee": clinic.doctor.address, "via": clinic.institution.address, "scope": FOLDER_ONE}
    assert patient.client.get("/sharing/revoke/", named).status_code == 200
    assert patient.client.post("/sharing/revoke/", named).status_code == 302
    refused = doctor.get(page)  # the very next request, before the chain has heard of it
    assert refused.status_code == 403
    assert "How to ask again" in refused.content.decode()
    assert doctor.get(f"{page}versions/1/file/").status_code == 403
    assert doctor.get(f"/patients/{patient.address}/").status_code == 403
    assert "Just revoked" in patient.client.get("/sharing/").content.decode()
    chain.settle()
    sharing = patient.client.get("/sharing/").content.decode()
    assert "Just revoked" not in sharing
    assert "Ended (1)" in sharing


def test_a_refused_request_shows_its_reason_to_the_doctor_alone(
    chain: ChainNode, clinic: Clinic, patient: Visitor
) -> None:
    asked = ask(clinic, patient.address)
    chain.settle()
    patient.client.post(f"{asked}deny/", {"reason": "I do not know you"})
    chain.settle()
    assert "I do not know you" in clinic.doctor.client.get(asked).content.decode()
    asked_id = asked.split("/")[2]
    assert patient.client.get("/sharing/new/", {"request": asked_id}).status_code == 409
    other = visit(make_person("Ben Carter"))
    assert other.client.get(asked).status_code == 404


def test_only_with_write_permission_does_a_doctor_add_to_a_folder(
    chain: ChainNode, clinic: Clinic, patient: Visitor
) -> None:
    doctor, via = clinic.doctor.client, clinic.institution.address
    form = f"/records/upload/?{urlencode({'patient': patient.address, 'via': via})}"
    page = send(patient.client, describe(patient.client))
    grant(chain, clinic, patient)
    assert "General" not in doctor.get(form).content.decode()
    assert doctor.get(f"{page}edit/").status_code == 403
    grant(chain, clinic, patient, permissions="write")
    assert "General" in doctor.get(form).content.decode()
    added = send(doctor, describe(doctor, form, via=via, folder="1"))
    chain.settle()
    assert patient.client.get(added).status_code == 200
    mended = {"title": "Blood report, mended", "kind": "11502-2", "service_date": "2026-03-02", "via": via}
    assert doctor.post(f"{page}edit/", mended).status_code == 302
    chain.settle()
    assert "Blood report, mended" in patient.client.get(page).content.decode()


def test_a_doctor_without_a_grant_leaves_a_record_that_the_patient_files_or_refuses(
    chain: ChainNode, clinic: Clinic, patient: Visitor
) -> None:
    doctor, via = clinic.doctor.client, clinic.institution.address
    form = f"/records/upload/?{urlencode({'patient': patient.address})}"
    filed, refused = (
        send(doctor, describe(doctor, form, via=via, folder="0", title=title))
        for title in ("Letter", "Advert")
    )
    chain.settle()
    inbox = patient.client.get("/inbox/").content.decode()
    assert "Letter" in inbox
    assert "Advert" in inbox
    patient.client.post(filed.replace("/records/", "/inbox/") + "file/", {"folder": "1"})
    patient.client.post(refused.replace("/records/", "/inbox/") + "refuse/")
    chain.settle()
    assert "Nothing waits here" in patient.client.get("/inbox/").content.decode()
    assert "Letter" in patient.client.get("/records/folders/1/").content.decode()


def test_a_sender_is_blocked_from_the_inbox_and_taken_again(
    chain: ChainNode, clinic: Clinic, patient: Visitor, stranger: Visitor
) -> None:
    doctor, via = clinic.doctor.client, clinic.institution.address
    form = f"/records/upload/?{urlencode({'patient': patient.address})}"
    left = send(doctor, describe(doctor, form, via=via, folder="0", title="Advert"))
    chain.settle()
    block = left.replace("/records/", "/inbox/") + "block/"
    assert block in patient.client.get("/inbox/").content.decode()
    assert f"everybody at {clinic.institution.name}" in patient.client.get(block).content.decode()
    for other in (stranger, clinic.doctor):
        assert other.client.post(block, {"sender": via}).status_code in (403, 404)
    assert patient.client.post(block, {"sender": stranger.address}).status_code == 400
    assert patient.client.post(block, {"sender": via}).status_code == 302
    page = patient.client.get("/inbox/").content.decode()
    assert "Blocked senders" in page
    assert 'hx-select="#senders"' in page
    with pytest.raises(AssertionError, match="takes no records from you"):
        describe(doctor, form, via=via, folder="0", title="More")
    chain.settle()
    assert 'hx-select="#senders"' not in patient.client.get("/inbox/").content.decode()
    assert patient.client.post("/inbox/unblock/", {"sender": stranger.address}).status_code == 404
    assert patient.client.post("/inbox/unblock/", {"sender": via}).status_code == 302
    assert "taken again once confirmed" in patient.client.get("/inbox/").content.decode()
    chain.settle()
    assert "Blocked senders" not in patient.client.get("/inbox/").content.decode()


def test_a_mailed_link_is_opened_by_its_address_and_not_kept_through_a_sign_in(
    clinic: Clinic, patient: Visitor, stranger: Visitor
) -> None:
    ask(clinic, patient.user.email)
    found = re.search(r"/requests/mailed/\S+", str(newest_mail().body))
    assert found
    link = found[0]
    asked = Client().get(link).content.decode()
    assert link.split("/")[-2] not in asked
    assert stranger.client.post(link).status_code == 403
    assert "data-send-now" in patient.client.get(link).content.decode()
    assert EmailRequest.objects.get().patient == ""
    page = patient.client.post(link)
    assert page.status_code == 302
    assert "Before your appointment" in patient.client.get(page["Location"]).content.decode()


def test_a_grant_to_an_institution_opens_for_its_doctor(
    chain: ChainNode, clinic: Clinic, patient: Visitor
) -> None:
    page = send(patient.client, describe(patient.client))
    query = urlencode({"grantee": clinic.institution.address})
    proposal = propose(patient.client, f"/sharing/new/?{query}")
    patient.client.post("/sharing/confirm/", {"proposal": proposal})
    chain.settle()
    assert clinic.institution.name in patient.client.get(page).content.decode()
    assert "Blood report" in clinic.doctor.client.get(page).content.decode()
    assert clinic.doctor.client.get(f"{page}versions/1/file/").getvalue() == BLOOD
    records = clinic.doctor.client.get(f"/patients/{patient.address}/").content.decode()
    assert "granted to the institution" in records
    assert "Give back" not in records


def test_a_doctor_gives_back_what_was_granted(chain: ChainNode, clinic: Clinic, patient: Visitor) -> None:
    page = send(patient.client, describe(patient.client))
    grant(chain, clinic, patient)
    assert clinic.doctor.client.get(page).status_code == 200
    assert "Give back" in clinic.doctor.client.get(f"/patients/{patient.address}/").content.decode()
    given = {"via": clinic.institution.address, "scope": FOLDER_ONE}
    assert clinic.doctor.client.post(f"/patients/{patient.address}/give-up/", given).status_code == 302
    assert clinic.doctor.client.get(page).status_code == 403


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("0x8617E340B3D01FA5F11F306F4090FD50E238070d", "probably mistyped"),
        ("somebody", "0x followed by 40"),
        ("0x8617E340B3D01FA5F11F306F4090FD50E238070D", "Nothing can be shared with this address yet"),
    ],
)
def test_a_wrong_address_is_refused_beside_its_field(patient: Visitor, typed: str, words: str) -> None:
    answer = patient.client.get("/sharing/new/", {"grantee": typed})
    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_an_end_in_the_past_is_refused(clinic: Clinic, patient: Visitor) -> None:
    query = urlencode({"grantee": clinic.doctor.address})
    values = {"what": "folders", "folders": "1", "permissions": "read", "expires_at": "2020-01-01"}
    answer = patient.client.post(f"/sharing/new/?{query}", values | {"via": clinic.institution.address})
    assert answer.status_code == 400
    assert "in the future" in answer.content.decode()


def test_a_doctors_pages_are_not_a_patients(clinic: Clinic, patient: Visitor) -> None:
    for path in ("/records/", "/sharing/", "/history/", "/inbox/", "/sharing/new/"):
        assert clinic.doctor.client.get(path).status_code == 403
    for path in ("/requests/", "/requests/new/", f"/patients/{patient.address}/"):
        assert patient.client.get(path).status_code == 403
