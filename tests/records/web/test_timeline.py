"""The list of records: by months, searched by POST, page by page, for the patient and for a doctor."""

import pytest

from records.web import timeline
from tests.records.web.conftest import Visitor, describe, send

pytestmark = pytest.mark.django_db


def fill(patient: Visitor, *titles: str, day: str = "2026-03-02") -> None:
    """A record of each title."""
    for title in titles:
        send(patient.client, describe(patient.client, title=title, service_date=day))


def found(visitor: Visitor, path: str = "/records/", **wanted: str) -> str:
    """The page of what is looked for."""
    answer = visitor.client.post(path, wanted)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    return str(answer.content.decode())


def test_records_stand_in_the_months_of_their_date_of_service(patient: Visitor) -> None:
    fill(patient, "Spring report")
    fill(patient, "Old report", day="2024-11-30")
    page = patient.client.get("/records/").content.decode()
    assert page.index("March 2026") < page.index("Spring report")
    assert page.index("Spring report") < page.index("November 2024") < page.index("Old report")
    assert "2 records, by date of service" in page


def test_what_is_looked_for_is_found_and_what_is_not_offers_to_clear(patient: Visitor) -> None:
    fill(patient, "Röntgen thorax", "Blood report")
    page = found(patient, text="rontgen")
    assert "Röntgen thorax" in page
    assert "Blood report" not in page
    assert "1 of 2 for “rontgen”" in page
    page = found(patient, text="<script>alert(1)</script>", kind="11502-2")
    assert "Nothing found for “&lt;script&gt;" in page
    assert "Laboratory report" in page
    assert "Show all" in page
    assert "<script>alert" not in page


def test_a_wrong_period_is_said_and_everything_shown(patient: Visitor) -> None:
    fill(patient, "Blood report")
    page = found(patient, since="2026-05-01", until="2026-04-01")
    assert "The period ends before it begins." in page
    assert "Blood report" in page


def test_a_long_list_is_turned_page_by_page(patient: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "ON_A_PAGE", 2)
    fill(patient, "Report A", "Report B", "Letter C", "Report D")
    first = patient.client.get("/records/").content.decode()
    assert "Page 1 of 2" in first
    assert "Report D" in first
    assert "Report A" not in first
    second = found(patient, page="2")
    assert "Report A" in second
    assert "Report D" not in second
    assert "Page 2 of 2" in found(patient, page="2", text="report")
    assert "Page 2 of 2" in found(patient, page="99")


def test_a_stranger_searches_nothing_of_it(patient: Visitor, stranger: Visitor) -> None:
    fill(patient, "Zebrafish anaemia")
    assert "Zebrafish" not in found(stranger, text="zebrafish").replace("“zebrafish”", "")
    answer = stranger.client.post(f"/patients/{patient.address}/", {"text": "zebrafish"})
    assert answer.status_code == 403
    assert b"Zebrafish" not in answer.content


def test_a_search_needs_the_csrf_token(patient: Visitor) -> None:
    patient.client.handler.enforce_csrf_checks = True
    assert patient.client.post("/records/", {"text": "x"}).status_code == 403
