"""A form acts as the account, and for the patient, that its page showed; else it is refused, and kept."""

import re
import uuid
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Account, OpenVault
from accounts.page_binding import FIELD, HEADER, PageBinding
from accounts.services import signup, tokens
from accounts.services.signup import open_actor
from chain.models import Act
from records.errors import OtherPatient
from records.models import Upload
from records.services import uploads
from records.web.bound_forms import EXEMPT
from tests.page_client import PageClient
from tests.people import PASSWORD
from tests.records.web.conftest import BLOOD, Clinic, Visitor, describe

pytestmark = pytest.mark.django_db

VALUES: dict[str, Any] = {
    "UUIDConverter": uuid.UUID(int=7),
    "Id32": "0x" + "7" * 64,
    "Address": "0x52908400098527886E0F7030069857D2E4169EE7",
    "RequestId": "0x" + "7" * 64,
    "IntConverter": 1,
    "StringConverter": "x" * 43,
}


def views(found: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every named view of the portal, with arguments that fit its address."""
    for entry in (found or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from views(entry, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)
        elif isinstance(entry, URLPattern):
            assert entry.name or prefix == "admin:", f"{entry} needs a name, so that it can be counted here"
            names = entry.pattern.converters
            yield (
                prefix + (entry.name or ""),
                {name: VALUES.get(type(one).__name__, "x") for name, one in names.items()},
            )


def is_exempt(name: str) -> bool:
    return any(name == each or (each[-1] in ":_" and name.startswith(each)) for each in EXEMPT)


def both_kinds(clinic: Clinic) -> Account:
    """The doctor opens a patient account of her own, and acts as a doctor."""
    bundle = open_actor(clinic.doctor.user, PASSWORD, Account.Kind.PRACTITIONER).bundle
    account = signup.open_account(clinic.doctor.user, bundle, Account.Kind.PATIENT)
    switch(clinic.doctor.client, clinic.doctor.address)
    return account


def switch(client: Client, address: str) -> None:
    assert client.post("/switch/", {"account": address}).status_code == 302


def hidden(page: Any) -> dict[str, str]:
    """The fields of the kept form."""
    main = page.content.decode().split("<main")[1]
    tags = re.findall(r'<input type="hidden"\s+name="([^"]*)"\s+value="([^"]*)"', main)
    return {unescape(name): unescape(value) for name, value in tags}


def test_every_view_refuses_what_names_no_account(patient: Visitor) -> None:
    covered = []
    for name, arguments in views():
        if is_exempt(name):
            continue
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(patient.client, method)(reverse(name, kwargs=arguments), headers={HEADER: "no"})
            assert answer.status_code == 409, (name, method, answer.status_code)
        covered.append(name)
    assert {"home", "records:upload", "records:grant-confirm", "accounts:token-revoke"} <= set(covered)
    assert len(covered) > 50
    assert not Act.objects.filter(author=patient.address).exclude(kind="PublishKey").exists()


def test_each_exemption_stands_for_a_view_that_there_is() -> None:
    names = [name for name, _ in views() if is_exempt(name)]
    for each in EXEMPT:
        assert any(name.startswith(each) for name in names), each


def test_every_form_of_a_template_has_the_fields_that_bind_it() -> None:
    forms = 0
    for template in Path(settings.BASE_DIR / "templates").rglob("*.html"):
        for form in re.findall(r"<form\b.*?(?:</form>|\Z)", template.read_text(), re.DOTALL):
            if re.search(r'method="post"', form.partition(">")[0] + ">"):
                forms += 1
                assert "csrf_token" in form, template
    assert forms > 30


def test_a_page_names_account_and_patient(clinic: Clinic, patient: Visitor) -> None:
    page = clinic.doctor.client.get(f"/records/upload/?patient={patient.address}").content.decode()
    signed = re.findall(rf'name="{FIELD}" value="([^"]+)"', page)
    assert set(signed) == {str(PageBinding(clinic.doctor.address, patient.address))}


def test_a_file_for_a_patient_never_goes_into_the_doctors_own_folder(
    clinic: Clinic, patient: Visitor
) -> None:
    own, client = both_kinds(clinic), clinic.doctor.client
    page = {HEADER: str(PageBinding(clinic.doctor.address, patient.address))}
    path = f"/records/upload/?patient={patient.address}"
    switch(client, own.address)
    fields = {"title": "Ben's letter", "kind": "11502-2", "service_date": "2026-03-02", "folder": "1"}
    fields |= {"file_name": "a.pdf", "media_type": "application/pdf", "size": str(len(BLOOD))}
    refused = client.post(path, fields, headers=page | {"accept": "application/json"})
    assert refused.status_code == 409
    assert refused.json()["switch"] == clinic.doctor.address
    assert (
        "your doctor account. You have since switched to your own patient account" in refused.json()["error"]
    )
    assert not Upload.objects.exists()
    assert client.get(path).status_code == 409  # nor is the patient in the address thrown away
    switch(client, clinic.doctor.address)
    fields |= {"folder": "0", "via": clinic.institution.address}
    assert client.post(path, fields, headers=page).status_code == 201
    assert Upload.objects.get().patient == patient.address


def test_bytes_of_an_upload_are_refused_with_a_word_on_whose_they_are(
    clinic: Clinic, patient: Visitor
) -> None:
    own, client = both_kinds(clinic), clinic.doctor.client
    page = {HEADER: str(PageBinding(clinic.doctor.address, patient.address))}
    path = describe(
        client, f"/records/upload/?patient={patient.address}", folder="0", via=clinic.institution.address
    )
    switch(client, own.address)
    answer = client.put(path, BLOOD, content_type="application/octet-stream", headers=page)
    assert answer.status_code == 409
    assert answer.json()["switch"] == clinic.doctor.address


def test_measurements_are_kept_and_sent_with_the_right_account(clinic: Clinic, patient: Visitor) -> None:
    own, client = both_kinds(clinic), clinic.doctor.client
    path = f"/records/observations/new/?patient={patient.address}"
    fields = hidden(client.get(path)) | {
        "title": "Weight",
        "service_date": "2026-03-02",
        "folder": "0",
        "via": clinic.institution.address,
        "form-0-measure": "body-weight",
        "form-0-value": "88.8",
        "form-0-unit": "kg",
        "form-0-note": "a\nb",
    }
    measure = re.search(r'<option value="([^"]+)">Body weight', client.get(path).content.decode())
    assert measure
    fields["form-0-measure"] = measure[1]
    switch(client, own.address)
    refused = client.post(path, fields)
    assert refused.status_code == 409
    assert not Act.objects.filter(kind="NewRecord").exists()
    kept = hidden(refused)
    assert {name: kept.get(name) for name in fields if name != "csrfmiddlewaretoken"} == {
        name: value for name, value in fields.items() if name != "csrfmiddlewaretoken"
    }
    assert client.post(path, fields, headers={"hx-request": "true"}).json()["switch"] == clinic.doctor.address
    sent = client.post(path, kept | {"switch_account": "1"})
    assert sent.status_code == 302, sent.content.decode()
    act = Act.objects.get(kind="NewRecord")
    assert (act.author, act.subject) == (clinic.doctor.address, patient.address)


def test_the_refusal_tells_no_name_that_the_account_may_not_read(clinic: Clinic, patient: Visitor) -> None:
    own, client = both_kinds(clinic), clinic.doctor.client
    path = f"/records/upload/?patient={patient.address}"
    sent = {FIELD: str(PageBinding(clinic.doctor.address, patient.address))}
    switch(client, own.address)
    page = client.post(path, sent).content.decode()
    assert patient.address in page
    assert "Asha" not in page


def test_somebody_elses_form_is_not_shown_again(patient: Visitor, stranger: Visitor) -> None:
    fields = {FIELD: str(PageBinding(stranger.address)), "name": "Secret folder"}
    answer = patient.client.post("/records/folders/new/", fields)
    assert answer.status_code == 403
    assert "Secret folder" not in answer.content.decode()
    switching = patient.client.post("/records/folders/new/", fields | {"switch_account": "1"})
    assert switching.status_code == 403


def test_a_patients_account_writes_for_nobody_else(patient: Visitor, stranger: Visitor) -> None:
    actor = open_actor(patient.user, PASSWORD)
    with pytest.raises(OtherPatient):
        uploads.describe_upload(
            actor=actor, patient=stranger.address, title="x", kind="11502-2", service_date=None, file_name="x"
        )
    for page in ("upload", "observations/new", "observations/import"):
        answer = patient.client.get(f"/records/{page}/?patient={stranger.address}")
        assert answer.status_code == 409, page
        assert patient.client.get(f"/records/{page}/?patient={patient.address}").status_code == 200
        assert patient.client.get(f"/records/{page}/?folder=77").status_code == 404


def test_a_patients_token_that_names_another_patient_is_refused_everywhere(
    patient: Visitor, stranger: Visitor
) -> None:
    _, secret = tokens.make_token(actor=open_actor(patient.user, PASSWORD), name="x", scope="act", days=1)
    client, headers = PageClient(), {"authorization": f"Bearer {secret}"}
    body = {"patient": stranger.address, "name": "Ben's folder"}
    answers = [client.post("/api/v1/folders", body, content_type="application/json", headers=headers)]
    answers += [
        client.get(f"/api/v1/{path}?patient={stranger.address}", headers=headers)
        for path in ("history", "records", "folders", "observations", "grants", "export")
    ]
    answers.append(client.post("/api/v1/grants", body, content_type="application/json", headers=headers))
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    own = client.get(f"/api/v1/history?patient={patient.address}", headers=headers)
    assert own.status_code == 200


def test_what_was_typed_is_sent_once_the_vault_is_open_again(patient: Visitor) -> None:
    fields = {"name": "Lungs & “heart”", FIELD: str(PageBinding(patient.address))}
    OpenVault.objects.all().delete()
    closed = patient.client.post("/records/folders/new/", fields)
    assert closed.status_code == 403
    kept = hidden(closed)
    wrong = patient.client.post("/vault/", kept | {"password": "not this one, sorry"})
    assert wrong.status_code == 400
    again = patient.client.post("/vault/", hidden(wrong) | {"password": PASSWORD})
    assert again.status_code == 200
    assert re.search(r'action="/records/folders/new/"\s+data-send-now', again.content.decode())
    filled = hidden(again)
    assert filled["name"] == fields["name"]
    made = patient.client.post("/records/folders/new/", filled)
    assert made.status_code == 302
    assert fields["name"] in unescape(patient.client.get(made["Location"]).content.decode())


def test_what_was_typed_survives_a_sign_in_in_another_tab(patient: Visitor) -> None:
    client = PageClient(enforce_csrf_checks=True)
    login = hidden(client.get("/accounts/login/"))
    sign_in = login | {"login": patient.user.email, "password": PASSWORD}
    assert client.post("/accounts/login/", sign_in).status_code == 302
    fields = hidden(client.get("/records/folders/new/")) | {"name": "Knees"}
    client.cookies.pop("sessionid")
    late = client.post("/records/folders/new/", fields)
    assert late.status_code == 403
    assert "You have been signed out" in late.content.decode()
    kept = hidden(late)
    assert kept["name"] == "Knees"
    client.post("/accounts/login/", sign_in | hidden(client.get("/accounts/login/")))
    again = client.post("/records/folders/new/", kept)  # the security token is the one from before
    assert again.status_code == 403
    made = client.post("/records/folders/new/", hidden(again))
    assert made.status_code == 302


def test_a_form_made_elsewhere_is_not_shown_for_sending(patient: Visitor) -> None:
    client = PageClient(enforce_csrf_checks=True)
    client.cookies = patient.client.cookies
    answer = client.post("/records/folders/new/", {"name": "Evil"}, headers={HEADER: ""})
    assert answer.status_code == 403
    assert "Evil" not in answer.content.decode()
    kept = '["https://evil.example/", [["name", "Evil"]]]'
    assert patient.client.post("/vault/", {"kept_form": kept})["Location"] == "/"
