"""Text that people paste and type into forms: taken where its meaning is clear, else asked back."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings
from django.utils import timezone

from accounts.errors import TokenRefused
from accounts.forms import PhraseForm, SignupForm
from accounts.models.users import births_possible, validate_date_of_birth
from accounts.services import invitations, tokens
from accounts.services.signup import create_person, open_actor
from records.errors import InvalidInput
from records.observations.moments import parse_moment, typed_moment
from records.services import folders, uploads
from records.services.describing import service_dates
from records.web.forms.observations import RowForm
from tests.chain.test_pasted import UNSEEN
from tests.page_client import PageClient
from tests.people import BORN, PASSWORD
from tests.records.web.conftest import Clinic, Visitor

pytestmark = pytest.mark.django_db


def shapes(address: str) -> list[str]:
    """Addresses as people paste them: with spaces, prefixes, quotes and other letters."""
    return [
        address.lower(), "0X" + address[2:], f"Ethereum:{address}", f"eip155:1:{address}", f"<{address}>",
        f"{address}.", f"{address[:20]}\n{address[20:]}", f"\u200b{address}", f"\u200e{address}\u200e",
    ]  # fmt: skip


def test_every_page_and_call_that_takes_an_address_takes_it_as_pasted(
    clinic: Clinic, patient: Visitor
) -> None:
    doctor, address = clinic.doctor.client, patient.address
    headers = {"authorization": f"Bearer {_token(clinic.doctor, 'practitioner')}"}
    asked = {"purpose": "TREAT", "permissions": "read", "days": 5}
    for text in shapes(address):
        left = doctor.get("/records/leave/", {"patient": text})
        assert left["Location"] == f"/records/upload/?patient={address}", text
        assert doctor.get("/records/upload/", {"patient": text}).status_code == 200, text
        assert doctor.get("/records/observations/new/", {"patient": text}).status_code == 200, text
        body = asked | {"patient": text, "via": clinic.institution.address.lower()}
        sent = doctor.post("/requests/new/", body | {"via": clinic.institution.address})
        assert sent.status_code in (302, 409), (text, sent.content.decode())
        api = doctor.post("/api/v1/requests", body, content_type="application/json", headers=headers)
        assert api.status_code in (201, 409), (text, api.content)
    given = shapes(clinic.doctor.address)
    for text in given:
        assert patient.client.get("/sharing/new/", {"grantee": text}).status_code == 200, text
    page = doctor.get(f"/patients/{address.lower()}/export/")
    assert page.status_code == doctor.get(f"/patients/{address}/export/").status_code


def test_a_mistyped_address_is_told_from_none(clinic: Clinic, patient: Visitor) -> None:
    wrong = patient.address[:-1] + ("0" if patient.address[-1] != "0" else "1")
    said = clinic.doctor.client.get("/records/leave/", {"patient": wrong}).content.decode()
    assert "probably mistyped" in said
    assert "digits and letters" in clinic.doctor.client.get("/records/leave/?patient=x").content.decode()


@pytest.mark.parametrize("name", UNSEEN)
def test_no_name_is_taken_that_nobody_can_see(patient: Visitor, name: str) -> None:
    actor = open_actor(patient.user, PASSWORD)
    with pytest.raises(ValidationError, match="can be seen"):
        create_person(email="x@example.org", name=name, date_of_birth=BORN, password=PASSWORD)
    with pytest.raises(ValidationError):
        invitations.create_institution(name=name)
    with pytest.raises(InvalidInput):
        folders.create_folder(actor=actor, name=name)
    with pytest.raises(InvalidInput):
        uploads.describe_upload(
            actor=actor, patient=None, title=name, kind="11502-2", service_date=None, file_name="a.pdf"
        )
    if name.strip():
        with pytest.raises(TokenRefused):
            tokens.make_token(actor=actor, name=name, scope="act", days=1)
    form = SignupForm({"name": name, "date_of_birth": "1980-06-05"})
    assert "name" in form.errors


def test_two_folders_do_not_look_the_same(patient: Visitor) -> None:
    actor = open_actor(patient.user, PASSWORD)
    folders.create_folder(actor=actor, name="Knees")
    with pytest.raises(InvalidInput, match="already"):
        folders.create_folder(actor=actor, name="Kn\u200bees")


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("1980-06-05", date(1980, 6, 5)),
        ("5 June 1980", date(1980, 6, 5)),
        ("5 Jun 1980", date(1980, 6, 5)),
        ("05.06.1980", date(1980, 6, 5)),
        ("17/05/1980", date(1980, 5, 17)),
        ("05/17/1980", date(1980, 5, 17)),
        ("05/05/1980", date(1980, 5, 5)),
        ("05/06/1980", None),
        ("31/02/1980", None),
        ("1980", None),
    ],
)
def test_a_birthday_without_a_calendar_is_read_one_way_or_asked_back(typed: str, day: date | None) -> None:
    form = SignupForm({"name": "Ada", "date_of_birth": typed})
    form.is_valid()
    assert form.cleaned_data.get("date_of_birth") == day
    assert form.has_error("date_of_birth") == (day is None)
    if typed == "05/06/1980":
        assert "5 June or 6 May" in str(form.errors["date_of_birth"])


@pytest.mark.parametrize("text", ["2026", "2026-03", "2026-03-09", "2026-03-09T08:30:00+00:00"])
def test_a_date_is_read_as_the_page_shows_it(text: str) -> None:
    moment = parse_moment(text)
    again = parse_moment(typed_moment(f"\u00a0{moment} "))
    assert (str(again), again.unit) == (str(moment), moment.unit)
    assert typed_moment("soon") == "soon"


@pytest.mark.parametrize(
    ("value", "unit", "amount"),
    [("61.50 kg", "", "61.50"), ("61.5\tkg", "kg", "61.5"), ("< 60 kg", "", "60"), ("61.50", "kg", "61.50")],
)
def test_a_value_may_bring_its_unit_along(value: str, unit: str, amount: str) -> None:
    row = RowForm({"measure": "weight", "value": value, "unit": unit})
    assert row.is_valid(), row.errors
    (part,) = row.cleaned_data["observation"].parts
    assert (str(part.amount.number), part.amount.unit) == (amount, "kg")


def test_a_value_with_the_unit_of_another_is_asked_back() -> None:
    assert not RowForm({"measure": "weight", "value": "61.5 mmHg", "unit": ""}).is_valid()
    assert not RowForm({"measure": "weight", "value": "61.5 kg", "unit": "lb"}).is_valid()


def test_the_calendar_offers_what_the_server_takes(patient: Visitor) -> None:
    first, last = births_possible()
    for day in (first, last):
        validate_date_of_birth(day)
    for day in (first - timedelta(days=1), last + timedelta(days=1)):
        with pytest.raises(ValidationError):
            validate_date_of_birth(day)
    page = PageClient().get("/accounts/signup/").content.decode()
    assert f'min="{first}"' in page
    assert f'max="{last}"' in page
    for path in ("/records/upload/", "/records/observations/new/"):
        shown = patient.client.get(path).content.decode()
        for word, day in zip(("min", "max"), service_dates(), strict=True):
            assert f'{word}="{day}"' in shown, path
    assert service_dates()[1] == timezone.localdate() + timedelta(days=1)


def test_the_file_picker_offers_what_the_portal_takes(patient: Visitor) -> None:
    def page() -> str:
        return " ".join(patient.client.get("/records/upload/").content.decode().split())

    assert 'id="file" multiple aria' in page()  # any file is taken: nothing is hidden from the picker
    with override_settings(UPLOAD_TYPES=["application/pdf", "application/dicom"]):
        assert 'accept="application/dicom,application/pdf,.pdf,.dcm,.dicom"' in page()
        assert 'class="btn btn-quiet mt-2 camera" hidden' in page()


def test_ten_thousand_ticks_reach_the_form_and_more_are_refused_in_words(
    clinic: Clinic, patient: Visitor
) -> None:
    path = f"/sharing/new/?grantee={clinic.doctor.address}"
    ticked = [f"0x{number:064x}" for number in range(10_000)]
    fields: dict[str, Any] = {"what": "records", "records": ticked, "expires_at": "2027-01-01"}
    answer = patient.client.post(path, fields)
    assert "Continue to the confirmation" in answer.content.decode()  # the form's own answer
    answer = patient.client.post(path, fields | {"records": ticked + ticked})
    assert answer.status_code == 400
    assert "more than 11,000 answers" in answer.content.decode()


def test_a_fhir_text_at_its_limit_reaches_the_form(patient: Visitor) -> None:
    lines = '{"resourceType":"Bundle"}\r\n' * 37_000  # a million characters, with the line ends of forms
    fields = {"title": "x", "service_date": "2026-03-02", "folder": "1", "bundle": lines, "form": "no"}
    answer = patient.client.post("/records/observations/import/", fields)
    assert "That request was not understood" not in answer.content.decode()


def test_a_phrase_copied_with_its_numbers_opens(patient: Visitor) -> None:
    from accounts.crypto.phrase import phrase_of
    from accounts.services import vaults

    words = phrase_of(vaults.open_entropy(patient.user, PASSWORD)).split()
    copied = " ".join(f"{place} {word}" for place, word in enumerate(words, start=1))
    form = PhraseForm({"phrase": copied, "current_password": PASSWORD}, user=patient.user)
    assert form.is_valid(), form.errors


def _token(visitor: Visitor, kind: str) -> str:
    return tokens.make_token(actor=open_actor(visitor.user, PASSWORD, kind), name="t", scope="act", days=1)[1]
