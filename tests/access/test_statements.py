"""How many SQL statements a page or a call takes: few, none of them twice, and the same however many rows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http.response import HttpResponseBase
from django.test import Client

from accounts.actor import Actor
from accounts.services import tokens
from records.models import Record
from tests.access import mass
from tests.access.test_strangers import affiliate, give
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.records.conftest import Clinic, grant, reopened, upload

pytestmark = pytest.mark.django_db

MOST = 16
# What takes more as yet, and what grows.
MORE = {
    "home_patient": 49,
    "record_patient": 41,
    "list": 33,
    "view": 28,
    "record_doctor": 27,
    "records": 27,
    "api doctor records/one": 20,
    "api doctor observations": 20,
    "home_doctor": 25,
    "download": 20,
    "api doctor records": 19,
    "api doctor records/one/content": 17,
    "history": 18,
}
GROWS = {"home_patient", "record_patient", "list", "home_doctor", "api doctor patients", "api owner grants"}
RECORDS, GRANTS, PATIENTS, JUNK = 490, 199, 2_499, 10_000
Statement = tuple[str, str]


@dataclass
class Statements:
    """What a call has asked the database."""

    all: list[Statement]

    @property
    def count(self) -> int:
        return len(self.all)

    @property
    def repeated(self) -> list[Statement]:
        return [each for each, times in Counter(self.all).items() if times > 1]


def statements(call: Callable[[], HttpResponseBase]) -> Statements:
    """Call twice, and tell what the second one has asked: the first fills what is kept."""
    call()
    asked: list[Statement] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(("SAVEPOINT", "RELEASE", "BEGIN")):
            asked.append((sql, str(params)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        answer = call()
    assert answer.status_code == 200
    return Statements(asked)


@dataclass
class World:
    """A patient with a text file that a doctor may read and write, their browsers and tokens."""

    patient: Actor
    clinic: Clinic
    record: str
    pages: dict[str, Callable[[], HttpResponseBase]]

    def measure(self) -> dict[str, Statements]:
        return {name: statements(call) for name, call in self.pages.items()}

    def grow(self) -> None:
        """Very many of everything, and of what strangers write."""
        keys = mass.write_records(self.patient, RECORDS)
        some = dict(list(keys.items())[:GRANTS])
        mass.give_records(self.patient, self.clinic.doctor, self.clinic.via, some)
        mass.give_to_doctors(self.patient, self.clinic.institution, GRANTS)
        mass.add_patients(self.clinic.doctor, self.clinic.via, PATIENTS)
        affiliate(self.clinic.doctor.address, JUNK)
        give(self.clinic.doctor.address, JUNK)


def page(client: Client, path: str) -> Callable[[], HttpResponseBase]:
    return lambda: read(client.get(path))


def call(secret: str, path: str) -> Callable[[], HttpResponseBase]:
    return lambda: read(Client().get(f"/api/v1/{path}", headers={"authorization": f"Bearer {secret}"}))


def read(answer: Any) -> HttpResponseBase:
    """Take all that is streamed."""
    if answer.streaming:
        b"".join(answer.streaming_content)
    return answer  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _nothing_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a request notes every minute is noted by the first one alone."""
    day = timedelta(days=1)
    monkeypatch.setattr("accounts.vault_session.TOUCH_EVERY", day)
    monkeypatch.setattr("accounts.services.tokens.TOUCH_EVERY", day)


@pytest.fixture
def world(chain: ChainNode, patient: Actor, clinic: Clinic) -> World:
    for number in range(9):
        upload(patient, title=f"Report {number}")
    record = upload(patient, file_name="notes.txt", data=b"plain words " * 40).record
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    assert Record.objects.count() == 10
    doctor, owner = sign_in(clinic.doctor.user), sign_in(patient.user)
    (of_doctor, of_owner) = (
        tokens.make_token(actor=reopened(actor), name="statements", scope="act", days=1)[1]
        for actor in (clinic.doctor, patient)
    )
    address = patient.address
    pages = {
        "view": page(doctor, f"/records/{record}/versions/1/view/"),
        "list": page(doctor, f"/patients/{address}/?via={clinic.via}"),
        "download": page(doctor, f"/records/{record}/versions/1/file/"),
        "record_doctor": page(doctor, f"/records/{record}/"),
        "home_patient": page(owner, "/"),
        "record_patient": page(owner, f"/records/{record}/"),
        "home_doctor": page(doctor, "/"),
        "history": page(owner, "/history/"),
        "records": page(owner, "/records/"),
    }
    for who, secret in (("doctor", of_doctor), ("owner", of_owner)):
        paths = ["me", "patients", "requests", "folders", "refusals", "grants"]
        paths += [f"records?patient={address}", f"records/{record}", f"records/{record}/content"]
        paths += [f"observations?patient={address}"]
        paths += ["history", "senders"] if who == "owner" else []
        for path in paths:
            name = path.split("?")[0].replace(record, "one")
            pages[f"api {who} {name}"] = call(secret, path)
    return World(patient, clinic, record, pages)


def test_no_page_and_no_call_takes_more_statements_for_more_rows(world: World) -> None:
    few = world.measure()
    world.grow()
    many = world.measure()
    same = few.keys() - GROWS
    counts = {name: (few[name].count, many[name].count) for name in few}
    assert {name: counts[name] for name in same if len(set(counts[name])) > 1} == {}
    assert {name: counts[name] for name in few if counts[name][0] > MORE.get(name, MOST)} == {}
    twice = {name: few[name].repeated + many[name].repeated for name in same}
    assert {name: repeated for name, repeated in twice.items() if repeated and name != "records"} == {}
