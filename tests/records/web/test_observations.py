"""Entering measurements by the pages: rows, mending, FHIR files, the trends; and what is refused."""

import re
import uuid

import pytest

from accounts.vault_session import COOKIE
from chain.models import Act
from tests.chain_node import ChainNode
from tests.records.observations.test_reading import bundle, weight
from tests.records.web.conftest import Clinic, Visitor
from tests.sessions import kept_in_sessions

pytestmark = pytest.mark.django_db

NEW, IMPORT, TRENDS = "/records/observations/new/", "/records/observations/import/", "/records/observations/"
HOSTILE = "<script>alert(1)</script>\u202e"


def rows(*given: dict[str, str], **more: str) -> dict[str, str]:
    """The form, with these rows."""
    sent = {"form": str(uuid.uuid4()), "title": "At home", "service_date": "2026-03-01", "folder": "1"}
    sent |= {"form-TOTAL_FORMS": str(len(given)), "form-INITIAL_FORMS": "0"}
    for number, row in enumerate(given):
        sent |= {f"form-{number}-{name}": value for name, value in row.items()}
    return sent | more


PRESSURE = {"measure": "blood-pressure", "value": "120/80"}
SUGAR = {"measure": "glucose", "value": "5.40", "unit": "mmol/L", "when": "2026-02", "note": "fasting"}


def saved(visitor: Visitor, path: str, values: dict[str, str]) -> str:
    """The page of the record that was made."""
    answer = visitor.client.post(path, values)
    assert answer.status_code == 302, re.findall(r"field-error[^<]*<?[^<]*", answer.content.decode())
    return str(answer["Location"])


def test_rows_are_saved_shown_and_drawn(chain: ChainNode, patient: Visitor) -> None:
    page = saved(patient, NEW, rows(PRESSURE, SUGAR, {}))
    shown = patient.client.get(page).content.decode()
    for words in ("Blood pressure", "120/80", "mmHg", "1 Mar 2026", "5.40", "mmol/L", "Feb 2026", "fasting"):
        assert words in shown
    chain.settle()
    assert "A chart needs two exact values" in patient.client.get(TRENDS).content.decode()
    saved(patient, NEW, rows({**SUGAR, "value": "5.9", "when": "2026-03-04 08:30"}))
    chain.settle()
    trends = patient.client.get(TRENDS).content.decode()
    assert trends.count("<svg") == 1
    assert "5.9 mmol/L, 4 Mar 2026, 08:30" in trends
    assert "style=" not in trends.split("<main")[1]


def test_the_same_form_sent_twice_is_one_record(patient: Visitor) -> None:
    values = rows(PRESSURE)
    assert saved(patient, NEW, values) == saved(patient, NEW, values)
    assert Act.objects.filter(kind="NewRecord").count() == 1


def test_a_row_is_added_and_removed_without_a_script_and_nothing_is_saved(patient: Visitor) -> None:
    added = patient.client.post(NEW, rows(PRESSURE, SUGAR, add="1", title="My week")).content.decode()
    assert added.count("<fieldset") == 3
    assert 'value="120/80"' in added
    assert 'value="My week"' in added
    removed = patient.client.post(NEW, rows(PRESSURE, SUGAR, remove="0")).content.decode()
    assert removed.count("<fieldset") == 1
    assert 'value="120/80"' not in removed
    assert 'value="5.40"' in removed
    assert not Act.objects.filter(kind="NewRecord").exists()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"measure": "glucose", "value": "5.4"}, "Glucose is given in mg/dL or mmol/L."),
        (
            {"measure": "glucose", "value": "1,234", "unit": "mmol/L"},
            "can mean two numbers. Write 1.234 or 1234.",
        ),
        ({"measure": "other", "name": "X", "value": "1,234", "unit": "g"}, "can mean two numbers"),
        ({"measure": "other", "name": "X", "value": "1.234,5"}, "without a sign between thousands"),
        ({"measure": "temperature", "value": "370", "unit": "°C"}, "Body temperature 370 °C cannot be."),
        ({"measure": "blood-pressure", "value": "12000/80"}, "Blood pressure 12000/80 mmHg cannot be."),
        ({"measure": "height", "value": "-170", "unit": "cm"}, "Body height -170 cm cannot be."),
        ({"measure": "heart-rate", "value": "0"}, "Heart rate 0 /min cannot be."),
        ({**PRESSURE, "when": "2199-01-01"}, "1 Jan 2199 lies in the future."),
        ({"measure": "weight", "value": "1e400", "unit": "kg"}, "Write a number like"),
        ({"measure": "weight", "value": "NaN", "unit": "kg"}, "Write a number like"),
        ({"measure": "weight", "value": "9" * 40, "unit": "kg"}, "at most 18 digits"),
        ({"measure": "blood-pressure", "value": "120"}, "like 120/80"),
        ({"measure": "heart-rate", "value": ""}, "Give the value."),
        ({"value": "3"}, "Choose what was measured."),
        ({"measure": "other", "value": "3"}, "Say what was measured."),
        ({**PRESSURE, "when": "yesterday"}, "A date looks like 2024"),
        ({**PRESSURE, "when": "2026-02-30"}, "There is no such date."),
        ({"measure": "nonsense", "value": "3"}, "not one of the available choices"),
        ({}, "Enter at least one measurement."),
    ],
)
def test_a_wrong_row_says_what_is_wrong_and_saves_nothing(
    patient: Visitor, row: dict[str, str], words: str
) -> None:
    answer = patient.client.post(NEW, rows(row))
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not Act.objects.filter(kind="NewRecord").exists()


def test_what_hardly_can_be_is_asked_back_until_that_very_value_is_ticked(patient: Visitor) -> None:
    fever = {"measure": "temperature", "value": "43", "unit": "°C"}
    asked = patient.client.post(NEW, rows(fever))
    assert asked.status_code == 400
    page = asked.content.decode()
    assert "Body temperature 43 °C: is this right?" in page
    assert 'type="checkbox" name="form-0-sure" value="Body temperature 43 °C"' in page
    other = rows({**fever, "value": "44", "sure": "Body temperature 43 °C"})
    assert patient.client.post(NEW, other).status_code == 400
    assert not Act.objects.filter(kind="NewRecord").exists()
    shown = patient.client.get(saved(patient, NEW, rows({**fever, "sure": "Body temperature 43 °C"})))
    assert "unusual" in shown.content.decode()


def test_a_comma_means_the_same_in_every_measurement(patient: Visitor) -> None:
    other = {"measure": "other", "name": "Magnesium", "value": "0,85", "unit": "mmol/l"}
    page = saved(patient, NEW, rows({**SUGAR, "value": "5,40", "unit": "MMOL/L"}, other))
    shown = patient.client.get(page).content.decode()
    assert "5.40" in shown
    assert "0.85" in shown


def test_what_the_source_says_stands_with_the_value_on_every_page_and_in_the_api(
    chain: ChainNode, patient: Visitor
) -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    flag = [{"coding": [{"system": system, "code": "HH"}]}]
    flagged = weight(interpretation=flag, status="preliminary", bodySite={"text": "left"})
    unknown = weight(modifierExtension=[{"url": "http://example.org/not", "valueBoolean": True}])
    later = weight(effectiveDateTime="2190-01-01", valueQuantity={"value": 71, "unit": "kg"})
    data = bundle(flagged, weight(effectiveDateTime="2025-01-01"), unknown, later, weight(status="cancelled"))
    page = saved(patient, IMPORT, rows() | {"bundle": data.decode()})
    chain.settle()
    shown = " ".join(patient.client.get(page).content.decode().split())
    for words in (
        "HH critically high",
        "preliminary, it may still change",
        "body site: left",
        "dated in the future",
        "3 of 4 measurements of this file are shown",
        "Entry 3, modifierExtension",
        "1 measurement was cancelled or entered in error",
    ):
        assert words in shown, words
    trends = patient.client.get(TRENDS).content.decode()
    latest = trends.split('id="latest"')[1].split("</section>")[0]
    assert "HH critically high" in latest
    assert "1 Mar 2026" in latest
    assert "2190" not in latest
    assert "1 value is not drawn" in trends
    chart = trends.split("<svg")[1].split("</svg>")[0]
    assert "HH critically high" in chart
    assert "point-failed" in chart
    assert "2190" not in chart


def test_files_about_people_of_other_birth_are_warned_of(chain: ChainNode, patient: Visitor) -> None:
    for born in ("1980-05-01", "1991-02-03"):
        person = {"resourceType": "Patient", "id": "p", "birthDate": born}
        data = bundle(person, weight(subject={"reference": "Patient/p"}))
        page = saved(patient, IMPORT, rows() | {"bundle": data.decode()})
        assert f"born {born}" in patient.client.get(page).content.decode()
        chain.settle()
        warned = "1980-05-01, 1991-02-03" in patient.client.get(TRENDS).content.decode()
        assert warned is (born == "1991-02-03")


def test_more_rows_than_there_may_be_are_refused(patient: Visitor) -> None:
    answer = patient.client.post(NEW, rows(PRESSURE, **{"form-TOTAL_FORMS": "100000"}))
    assert answer.status_code == 400


def test_values_are_mended_as_the_next_version(chain: ChainNode, patient: Visitor) -> None:
    page = saved(patient, NEW, rows(PRESSURE, SUGAR))
    chain.settle()
    form = patient.client.get(f"{page}observations/edit/").content.decode()
    assert 'value="120/80"' in form
    assert 'value="5.40"' in form
    saved(patient, f"{page}observations/edit/", rows({**PRESSURE, "value": "125/82"}))
    chain.settle()
    shown = patient.client.get(page).content.decode()
    assert "125/82" in shown
    assert "120/80" not in shown
    assert shown.count("version ") >= 2


def test_hostile_words_are_only_words(chain: ChainNode, patient: Visitor) -> None:
    other = {
        "measure": "other",
        "name": HOSTILE,
        "value": HOSTILE,
        "unit": "'\"><img src=x>",
        "note": HOSTILE,
    }
    numbers = [{**other, "value": value, "when": when} for value, when in (("1", "2025"), ("2", "2026"))]
    page = saved(patient, NEW, rows(other, *numbers, title=HOSTILE.strip("\u202e")))
    chain.settle()
    for path in (page, TRENDS, f"{page}observations/edit/", "/records/"):
        assert patient.client.get(path).status_code == 200
        shown = patient.client.get(path).content.decode()
        assert "<script>alert" not in shown
        assert "<img" not in shown.split("<main")[1]
    assert "<svg" in patient.client.get(TRENDS).content.decode()


def test_a_bundle_is_taken_and_a_wrong_one_names_entry_and_field(patient: Visitor) -> None:
    values = rows() | {"bundle": bundle(weight(), {"resourceType": "Patient"}).decode()}
    shown = patient.client.get(saved(patient, IMPORT, values)).content.decode()
    assert "Body weight" in shown
    assert "1 other entry of this file" in shown
    values |= {"form": str(uuid.uuid4()), "bundle": bundle(weight(effectiveDateTime="soon")).decode()}
    refused = patient.client.post(IMPORT, values)
    assert refused.status_code == 400
    assert "Entry 1, effectiveDateTime" in refused.content.decode()
    assert Act.objects.filter(kind="NewRecord").count() == 1


def test_a_doctor_adds_within_the_grant_else_into_the_inbox(
    chain: ChainNode, patient: Visitor, clinic: Clinic
) -> None:
    doctor, via = clinic.doctor, clinic.institution.address
    path = f"{NEW}?patient={patient.address}&via={via}"
    assert "go into the inbox" in doctor.client.get(path).content.decode()
    saved(doctor, path, rows(PRESSURE, folder="0", via=via))
    chain.settle()
    assert "At home" in patient.client.get("/inbox/").content.decode()
    assert "No measurements yet" in patient.client.get(TRENDS).content.decode()
    refused = doctor.client.post(path, rows(PRESSURE, folder="1", via=via))
    assert refused.status_code == 400
    trends = doctor.client.get(f"/patients/{patient.address}/observations/?via={via}")
    assert trends.status_code == 403
    assert b"120/80" not in trends.content


def test_strangers_and_closed_vaults_see_nothing(
    chain: ChainNode, patient: Visitor, stranger: Visitor
) -> None:
    page = saved(patient, NEW, rows(PRESSURE))
    chain.settle()
    assert stranger.client.get(page).status_code == 404
    assert stranger.client.get(f"{page}observations/edit/").status_code == 404
    assert stranger.client.post(f"{page}observations/edit/", rows(PRESSURE)).status_code == 404
    assert stranger.client.get(f"/patients/{patient.address}/observations/").status_code == 403
    assert b"120/80" not in stranger.client.get(TRENDS).content
    del patient.client.cookies[COOKIE]
    for path in (TRENDS, NEW, IMPORT, f"{page}observations/edit/"):
        assert patient.client.get(path).status_code == 302


def test_no_value_is_in_a_session(patient: Visitor) -> None:
    saved(patient, NEW, rows({"measure": "other", "name": "Zebrafish count", "value": "77.123"}))
    patient.client.post("/records/", {"text": "Zebrafish"})
    kept = kept_in_sessions(patient.client)
    assert "Zebrafish" not in kept
    assert "77.123" not in kept
