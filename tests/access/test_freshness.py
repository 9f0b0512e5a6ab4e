"""Only the patient reads through a grant unless the chain was read to its head a moment ago."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.actor import Actor
from accounts.models import Errand
from accounts.services import tokens
from chain.errors import ChainNotRead
from chain.models import Cursor
from chain.status import freshness
from chain.support.shared_clock import SharedNow, machine_tick, shared_now
from records import access
from records.services import revocations
from records.services.holders import REKEY
from records.services.rekeying import rekey_folder
from records.services.renewing import renew_scope
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.exploits.crawling import Answer, Crawler
from tests.records.conftest import Clinic, grant, run_errands, upload

pytestmark = pytest.mark.django_db

TITLE, LINE = "Haemoglobin of Thursday", "Ferritin 9 ug/l"
FILE = (LINE + "\n").encode() * 40
SCOPE = f"0x{1:064x}"
SECRETS = (TITLE.encode(), LINE.encode())
CHECKED = "Sharing is being checked. Try again in a moment."
BOUND = timedelta(seconds=10)


@dataclass
class Shared:
    """A record that a doctor may read and write, and both people's browsers and tokens."""

    chain: ChainNode
    patient: Actor
    clinic: Clinic
    record: str
    doctor: Crawler
    owner: Crawler

    def stop_reading(self, seconds: float = 11) -> None:
        """As if the worker had stood still for so long."""
        Cursor.objects.update(read_tick=SharedNow(-timedelta(seconds=seconds)))


@pytest.fixture
def shared(chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Shared:
    record = upload(patient, title=TITLE, data=FILE, file_name="ferritin.txt").record
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    monkeypatch.setattr(freshness, "MOST_AGE", BOUND)
    pools: dict[str, list[Any]] = {
        "record": [record],
        "version": [1],
        "folder": [1],
        "address": [patient.address],
    }
    return Shared(chain, patient, clinic, record, crawler(clinic.doctor, pools), crawler(patient, pools))


def crawler(actor: Actor, pools: dict[str, list[Any]]) -> Crawler:
    _, secret = tokens.make_token(actor=actor, name="fresh", scope="act", days=1)
    client = sign_in(actor.user)
    client.raise_request_exception = False
    return Crawler(client, secret, pools)


def addresses(person: Crawler, patient: str) -> Iterator[str]:
    """Every address, and each of the API also about the patient."""
    for address in person.addresses():
        yield address
        if address.startswith("/api/"):
            yield f"{address}?patient={patient}"


@contextmanager
def read_again(shared: Shared) -> Iterator[None]:
    """The worker reads, so that everybody waits for nothing."""
    shared.chain.sync()
    Cursor.objects.update(read_tick=SharedNow())
    yield


def tells(answer: Answer) -> bool:
    return any(secret in answer.body for secret in SECRETS)


def test_every_address_that_shows_a_grants_content_refuses_while_the_worker_stands_still(
    shared: Shared,
) -> None:
    patient = shared.patient.address
    opened = []
    for address in addresses(shared.doctor, patient):
        with read_again(shared):
            if tells(shared.doctor.ask("get", address)):
                opened.append(address)
    named = " ".join(opened)
    for part in ("/api/v1/records?", f"{shared.record}/content", "/view/", "/file/", "/patients/", "/edit/"):
        assert part in named
    shared.stop_reading()
    refused = set()
    for address in addresses(shared.doctor, patient):
        answer = shared.doctor.ask("get", address)
        assert not tells(answer), address
        if answer.status == 503:
            assert CHECKED.encode() in answer.body, address
            refused.add(address)
        assert answer.status < 500 or answer.status == 503, address
    assert set(opened) <= refused
    for address in shared.doctor.addresses():
        if address.startswith("/api/"):
            assert not tells(shared.doctor.ask("post", address)), address


def test_the_patients_own_pages_go_on(shared: Shared) -> None:
    patient = shared.patient.address
    own = [each for each in addresses(shared.owner, patient) if not each.startswith("/api/v1/patients")]
    fresh = {address: shared.owner.ask("get", address) for address in own}
    assert sum(tells(answer) for answer in fresh.values()) > 10
    shared.stop_reading(3600)
    for address, before in fresh.items():
        answer = shared.owner.ask("get", address)
        assert (answer.status, tells(answer)) == (before.status, tells(before)), address


def test_a_doctors_home_says_that_sharing_is_checked_and_not_that_nobody_shares(shared: Shared) -> None:
    with read_again(shared):
        assert "Patients who gave you access" in shared.doctor.read("/")
        assert shared.patient.address in shared.doctor.read("/")
    shared.stop_reading()
    page = shared.doctor.read("/")
    assert CHECKED in page
    assert "No patient has given you access yet" not in page
    assert shared.patient.address not in page


def test_a_refusal_says_when_to_try_again(shared: Shared) -> None:
    shared.stop_reading()
    api = Client().get(
        f"/api/v1/records/{shared.record}/content", headers={"authorization": f"Bearer {shared.doctor.token}"}
    )
    page = shared.doctor.client.get(f"/records/{shared.record}/")
    for answer in (api, page):
        assert (answer.status_code, answer["Retry-After"]) == (503, "3")
    assert api.json() == {"error": CHECKED}


@pytest.mark.parametrize(
    "tick",
    [
        None,
        SharedNow(-timedelta(seconds=11)),
        SharedNow(timedelta(seconds=1)),
        SharedNow(timedelta(days=1)),
        1,
    ],
    ids=["never read", "eleven seconds old", "a second ahead", "a day ahead", "of another clock"],
)
def test_what_is_not_fresh(shared: Shared, tick: Any) -> None:
    doctor = shared.clinic.doctor
    Cursor.objects.update(read_tick=SharedNow(-timedelta(seconds=9)))
    freshness.require_fresh()
    assert access.can_read(doctor, shared.record)
    Cursor.objects.update(read_tick=tick)
    with pytest.raises(ChainNotRead):
        access.can_read(doctor, shared.record)
    assert access.can_read(shared.patient, shared.record)
    shared.chain.sync()
    Cursor.objects.update(read_tick=SharedNow())
    assert access.can_read(doctor, shared.record)


def test_a_reading_from_before_this_process_started_is_not_enough(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cursor.objects.update(read_tick=SharedNow(-timedelta(seconds=2)))
    monkeypatch.setattr(freshness, "_STARTED", machine_tick() - 1_000)
    with pytest.raises(ChainNotRead):
        access.can_read(shared.clinic.doctor, shared.record)
    shared.chain.mine()
    shared.chain.sync()
    assert access.can_read(shared.clinic.doctor, shared.record)


def test_rows_of_a_backup_are_not_fresh_until_they_were_read_on(shared: Shared) -> None:
    """The rows of before the revoke are put back. The worker that ran on does not call them fresh."""
    before = Cursor.objects.values().get()
    revocations.revoke_access(
        actor=shared.patient, grantee=shared.clinic.doctor.address, via=shared.clinic.via, scope=SCOPE
    )
    shared.chain.settle()
    assert not access.can_read(shared.clinic.doctor, shared.record)
    Cursor.objects.update(**{name: before[name] for name in ("read_tick", "heard_tick")})
    Cursor.objects.update(read_tick=F("read_tick") - 11_000)
    with pytest.raises(ChainNotRead):
        access.can_read(shared.clinic.doctor, shared.record)


def test_a_revoke_goes_through_and_seals_nobody_a_secret_by_old_rows(shared: Shared) -> None:
    shared.stop_reading()
    revocations.revoke_access(
        actor=shared.patient, grantee=shared.clinic.doctor.address, via=shared.clinic.via, scope=SCOPE
    )
    errand = Errand.objects.filter(account=shared.patient.address, kind=REKEY, state=Errand.State.OPEN)
    assert errand.exists()
    for seal in (lambda: rekey_folder(shared.patient, 1), lambda: renew_scope(shared.patient, SCOPE)):
        with pytest.raises(ChainNotRead):
            seal()
    run_errands(shared.patient)
    assert errand.exists()
    shared.chain.settle()
    Cursor.objects.update(read_tick=SharedNow())
    run_errands(shared.patient)
    assert not errand.exists()


@pytest.mark.usefixtures("shared")
def test_a_request_asks_once_and_others_ask_anew(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    Cursor.objects.update(read_tick=SharedNow())
    with django_assert_num_queries(2):
        freshness.require_fresh()
        freshness.require_fresh()
    freshness._begin_request()
    with django_assert_num_queries(1):
        freshness.require_fresh()
        freshness.chain_times()
        freshness.require_fresh()
    freshness._end_request()
    with django_assert_num_queries(1):
        freshness.require_fresh()


def test_a_reading_writes_every_few_seconds_and_when_something_is_new(chain: ChainNode) -> None:
    chain.mine()
    chain.sync()
    first = Cursor.objects.get().read_tick
    assert first is not None
    assert 0 <= shared_now() - first < 60_000
    Cursor.objects.update(read_tick=shared_now() - 1_000)
    kept = Cursor.objects.get().read_tick
    chain.sync()
    assert Cursor.objects.get().read_tick == kept
    chain.mine()
    chain.sync()
    assert Cursor.objects.get().read_tick != kept
    Cursor.objects.update(read_tick=shared_now() - 4_000)
    kept = Cursor.objects.get().read_tick
    chain.sync()
    assert Cursor.objects.get().read_tick != kept
