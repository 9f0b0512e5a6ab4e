"""Ten thousand requests that wait for a patient: counted, folded, cut into pages."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actor import Actor
from accounts.services import tokens
from chain.models import Act
from chain.models.bulk import insert_rows
from records.models import Record, Request, Version
from records.services import open_requests
from tests.accounts.conftest import sign_in
from tests.records.conftest import Clinic

pytestmark = pytest.mark.django_db

MANY = 10_000
PAGES = ("/", "/sharing/", "/sharing/requests/")


def address(number: int) -> str:
    """An address that nobody has."""
    return f"0x{number:040x}"


def ask(patient: Actor, count: int, *, senders: int, author: str = "") -> None:
    """Requests that the chain has confirmed, all a second apart."""
    now = timezone.now()
    insert_rows(
        Request(
            request=f"0x{2**200 + n + (2**190 if author else 0):064x}",
            patient=patient.address,
            author=author or address(2**100 + n % senders),
            via=address(2**90),
            nonce=f"0x{n:064x}",
            envelopes=f"0x{2**180 + n:064x}",
            requested_at=now - timedelta(seconds=n),
            block_number=1,
        )
        for n in range(count)
    )


def statements(call: Callable[[], object]) -> int:
    """Return the number of statements."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


@pytest.mark.parametrize("senders", [1, 3, MANY])
def test_pages_stay_small_and_say_how_many(patient: Actor, senders: int) -> None:
    browser = sign_in(patient.user)
    ask(patient, MANY, senders=senders)
    for path in PAGES:
        answer = browser.get(path)
        assert answer.status_code == 200
        assert len(answer.content) < 100_000, path
        if path != "/sharing/requests/":
            cards = answer.content.decode().count("person-raised-hand")
            assert cards == min(senders, 5 if path == "/" else 20)
            assert f'<span class="count">{MANY}</span>' in answer.content.decode()
    if senders == 1:
        assert f"All {MANY} of this sender" in browser.get("/").content.decode()


def test_ten_thousand_take_the_statements_of_thirty(patient: Actor) -> None:
    browser = sign_in(patient.user)
    ask(patient, 30, senders=30)

    def counts() -> list[int]:
        return [statements(lambda path=path: browser.get(path)) for path in PAGES]  # type: ignore[misc]

    counts()
    few = counts()
    Request.objects.all().delete()
    ask(patient, MANY, senders=300)
    assert all(now <= then + 5 for now, then in zip(counts(), few, strict=True))


def test_every_request_is_on_some_page(patient: Actor) -> None:
    ask(patient, 130, senders=4)
    browser, seen = sign_in(patient.user), set()
    for page in range(1, 7):
        told = browser.get(f"/sharing/requests/?page={page}").content.decode()
        seen |= set(re.findall(r"/requests/(0x[0-9a-f]{64})/", told))
    assert seen == set(Request.objects.values_list("pk", flat=True))
    of_one = browser.get(f"/sharing/requests/?author={address(2**100)}&page=2").content.decode()
    assert set(re.findall(r"/requests/(0x[0-9a-f]{64})/", of_one)) <= set(
        Request.objects.filter(author=address(2**100)).values_list("pk", flat=True)
    )


def test_the_api_gives_them_page_by_page(patient: Actor) -> None:
    ask(patient, 1_200, senders=3)
    _, secret = tokens.make_token(actor=patient, name="requests", scope="read", days=1)
    auth, seen = {"authorization": f"Bearer {secret}"}, []
    for offset in (0, 500, 1000):
        answer = Client().get(f"/api/v1/requests?offset={offset}", headers=auth)
        assert answer.headers["X-Total-Count"] == "1200"
        seen += [one["id"] for one in answer.json()]
    assert len(seen) == len(set(seen)) == 1_200


def test_a_senders_requests_are_refused_and_blocked_from_there(patient: Actor, clinic: Clinic) -> None:
    doctor = clinic.doctor.address
    ask(patient, 60, senders=1, author=doctor)
    ask(patient, 2, senders=1)
    browser, path = sign_in(patient.user), f"/sharing/requests/?author={doctor}"
    page = browser.get(path).content.decode()
    assert "Refuse these 25 requests" in page
    assert "of this sender" not in page
    shown = re.findall(r'name="request" value="(0x[0-9a-f]{64})"', page)
    assert browser.post(path, {"request": shown}).status_code == 302
    assert Act.objects.of_kind("DenyAccess").count() == 25
    assert open_requests.count_open(actor=patient) == 37
    assert not set(shown) & set(re.findall("0x[0-9a-f]{64}", browser.get(path).content.decode()))
    assert browser.post(path, {"request": shown}).status_code == 302  # again does nothing
    assert Act.objects.of_kind("DenyAccess").count() == 25
    assert browser.post(path, {"request": shown * 2}).status_code == 400
    assert browser.post(path, {"block": "1"}).status_code == 302
    assert open_requests.count_open(actor=patient) == 2
    assert "35 requests of blocked senders" in browser.get("/sharing/requests/").content.decode()
    assert browser.get(f"{path}&blocked=1").status_code == 200


def test_nobody_refuses_a_request_to_another(patient: Actor, clinic: Clinic) -> None:
    ask(patient, 1, senders=1)
    (request,) = Request.objects.values_list("pk", flat=True)
    browser = sign_in(clinic.doctor.user)
    assert browser.post("/sharing/requests/", {"request": [request]}).status_code == 403
    assert not Act.objects.of_kind("DenyAccess").exists()


def leave(patient: Actor, count: int) -> None:
    """Records that strangers left in the inbox, confirmed. Nothing of them is in the store."""
    now = timezone.now()
    records = [
        Record(
            record=f"0x{2**210 + n:064x}",
            patient=patient.address,
            author=address(2**100 + n % 5),
            nonce=f"0x{n:064x}",
            folder=0,
            epoch=0,
            created_at=now - timedelta(seconds=n),
            block_number=1,
        )
        for n in range(count)
    ]
    insert_rows(records)
    insert_rows(
        Version(
            record_id=row.record,
            version=1,
            author=row.author,
            folder=0,
            epoch=0,
            content=f"0x{2**220:064x}",
            description=f"0x{2**221 + n:064x}",
            secret=f"0x{2**222 + n:064x}",
            at=row.created_at,
            block_number=1,
            tx_hash=f"0x{1:064x}",
        )
        for n, row in enumerate(records)
    )


def test_an_inbox_of_ten_thousand_is_read_a_page_at_a_time(patient: Actor) -> None:
    browser = sign_in(patient.user)
    paths = ("/", "/records/", "/inbox/", "/inbox/?page=3", "/sharing/new/")
    leave(patient, 60)

    def counts() -> list[int]:
        return [statements(lambda path=path: _small(browser, path)) for path in paths]  # type: ignore[misc]

    counts()
    few = counts()
    seen = set()
    for page in (1, 2, 3):
        told = browser.get(f"/inbox/?page={page}").content.decode()
        seen |= set(re.findall(r"/records/(0x[0-9a-f]{64})/", told))
    assert seen == set(Record.objects.values_list("pk", flat=True))
    Record.objects.all().delete()
    leave(patient, MANY)
    assert all(now <= then + 5 for now, then in zip(counts(), few, strict=True))


def _small(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    assert len(answer.content) < 100_000, path
