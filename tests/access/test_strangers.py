"""Strangers affiliate a doctor and grant to her as often as they like: none of her pages changes."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actor import Actor
from accounts.directory import affiliations_of
from accounts.models import Affiliation
from accounts.services import tokens
from chain.contract.slots import folder_scope
from chain.models.bulk import insert_rows
from records import access
from records.models import Grant
from records.services import consent
from records.services.sweeping import sweep_records
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.records.conftest import Clinic, grant, upload

pytestmark = pytest.mark.django_db

MANY = 10_000
LONGEST = 60_000  # characters of a statement, its values included


@pytest.fixture
def record(chain: ChainNode, patient: Actor, clinic: Clinic) -> str:
    """A record that the doctor may read and write."""
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    return record


def address(number: int) -> str:
    """An address that nobody has."""
    return f"0x{number:040x}"


def affiliate(doctor: str, count: int) -> None:
    """Affiliations by institutions that nobody has admitted."""
    insert_rows(
        Affiliation(institution=address(2**100 + n), doctor=doctor, affiliated=True, serial=1, block_number=1)
        for n in range(count)
    )


def give(doctor: str, count: int) -> None:
    """Grants by as many strangers: of a folder to the doctor, and to institutions that are none."""
    now = timezone.now()
    rows = []
    for n in range(count):
        place = address(2**100 + n)
        grantee, via = ((doctor, ""), (doctor, place), (place, place))[n % 3]
        rows.append(
            Grant(
                patient=address(2**90 + n),
                grantee=grantee,
                via=via,
                scope=folder_scope(1),
                permissions=3,
                not_before=now - timedelta(days=1),
                expiry=now + timedelta(days=30),
                envelopes=f"0x{n:064x}",
                serial=1,
                affiliation_serial=1,
                granted_at=now,
                block_number=1,
            )
        )
    insert_rows(rows)


def statements(call: Callable[[], object]) -> int:
    """Return the number of statements. None of them is long, whatever was written."""
    with CaptureQueriesContext(connection) as captured:
        call()
    assert all(len(query["sql"]) < LONGEST for query in captured.captured_queries)
    return len(captured)


def test_what_strangers_write_changes_no_answer_and_no_statement(
    patient: Actor, clinic: Clinic, record: str
) -> None:
    doctor = clinic.doctor

    def ask() -> None:
        assert access.can_read(doctor, record)
        assert access.can_write(doctor, record)
        assert set(access.readable_by(doctor).values_list("pk", flat=True)) == {record}
        assert set(access.writable_by(doctor).values_list("pk", flat=True)) == {record}
        assert access.can_write_folder(doctor, patient=patient.address, folder=1, via=clinic.via)
        assert len(access.live_grants(doctor, patient=patient.address)) == 1
        assert [view.address for view in consent.patients_of(actor=doctor)] == [patient.address]
        assert [place.address for place in affiliations_of(doctor.address)] == [clinic.via]

    ask()  # whose keys the doctor holds is kept from here on
    alone = statements(ask)
    affiliate(doctor.address, MANY)
    give(doctor.address, MANY)
    assert statements(ask) == alone


def test_every_page_of_the_doctor_stands_among_strangers(patient: Actor, clinic: Clinic, record: str) -> None:
    client = sign_in(clinic.doctor.user)
    _, secret = tokens.make_token(actor=clinic.doctor, name="strangers", scope="act", days=1)
    auth = {"authorization": f"Bearer {secret}"}
    pages = [
        "/",
        f"/patients/{patient.address}/",
        f"/patients/{patient.address}/observations/",
        f"/patients/{patient.address}/export/",
        f"/records/{record}/",
        f"/records/{record}/edit/",
        f"/records/upload/?patient={patient.address}",
        "/requests/",
        "/requests/new/",
        "/profile/",
    ]
    calls = ["me", "patients", "requests", f"records/{record}", f"records?patient={patient.address}"]

    def look() -> list[int]:
        counts = [statements(lambda path=path: _page(client, path)) for path in pages]  # type: ignore[misc]
        return counts + [statements(lambda path=path: _call(auth, path)) for path in calls]  # type: ignore[misc]

    look()  # what is cached by a first look
    alone = look()
    affiliate(clinic.doctor.address, MANY)
    give(clinic.doctor.address, MANY)
    among = look()
    # Some looks keep a session alive, or note that they were: a few statements either way.
    assert all(now <= before + 5 for now, before in zip(among, alone, strict=True)), (among, alone)


@pytest.mark.usefixtures("record")
def test_access_that_cannot_be_used_is_counted_and_listed_apart(clinic: Clinic) -> None:
    client = sign_in(clinic.doctor.user)
    give(clinic.doctor.address, 300)
    home = client.get("/").content.decode()
    assert home.count("list-group-item row-item") == 1
    assert "100 more that cannot be used yet" in home
    apart = client.get("/?show=others&page=2").content.decode()
    assert apart.count("list-group-item row-item") == 50
    assert "Page 2 of 2" in apart
    _, secret = tokens.make_token(actor=clinic.doctor, name="apart", scope="read", days=1)
    auth = {"authorization": f"Bearer {secret}"}
    patients = Client().get("/api/v1/patients", headers=auth)
    assert (len(patients.json()), patients.headers["X-Total-Count"]) == (1, "1")
    others = Client().get("/api/v1/patients?unopened=true&limit=30&offset=90", headers=auth)
    assert (len(others.json()), others.headers["X-Total-Count"]) == (10, "100")


def test_the_sweep_of_all_grants_takes_the_same_statements(clinic: Clinic, record: str) -> None:
    sweep_records()
    alone = statements(sweep_records)
    give(clinic.doctor.address, MANY)
    assert statements(sweep_records) == alone
    assert access.can_read(clinic.doctor, record)


def _page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, path
    assert len(answer.content) < 100_000


def _call(auth: dict[str, str], path: str) -> None:
    assert Client().get(f"/api/v1/{path}", headers=auth).status_code == 200, path
