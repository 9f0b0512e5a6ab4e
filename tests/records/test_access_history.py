"""The access history among ten thousand lines of strangers: complete, by page, by API and in the export."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actor import Actor
from accounts.services import tokens
from chain.models import Act, Block, Event
from chain.models.bulk import insert_rows
from records.errors import InvalidInput, NotFound
from records.models import ViewLog
from records.services import export, log
from records.services.log import HistoryFilter
from records.shapes import HistoryEntry
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import upload

pytestmark = pytest.mark.django_db

MANY = 10_000
DOCTOR, OTHER, VIA = "0x" + "1" * 40, "0x" + "3" * 40, "0x" + "2" * 40
WRONG = ("cursor=x", "cursor=MQ:1:x", "topic=all", "record=1", "agent=%00", "record=%00")
LONG_AGO = datetime.fromisoformat("2026-01-02T03:04:05.000006+00:00")


@pytest.fixture
def patient(chain: ChainNode) -> Actor:
    """A patient with a confirmed record."""
    actor = make_patient()
    upload(actor)
    chain.settle()
    return actor


@pytest.fixture
def record(patient: Actor) -> str:
    """The id of that record."""
    name = Event.objects.about(patient.address).named("RecordAdded").get()
    return str(name["record"])


def word(number: int) -> str:
    """32 bytes."""
    return f"0x{number:064x}"


def look_at(patient: Actor, record: str, count: int, *, viewer: str = DOCTOR) -> None:
    """Looks at one record, a minute apart, before all that strangers write."""
    insert_rows(
        ViewLog(
            id=uuid4(),
            patient=patient.address,
            record=record,
            version=1,
            viewer=viewer,
            via=VIA,
            what="content",
            at=LONG_AGO + timedelta(minutes=minute),
        )
        for minute in range(count)
    )


def ask(patient: Actor, count: int, *, senders: int = 1) -> None:
    """Requests that the chain tells of, a hundred in a block, of so many senders."""
    now = timezone.now()
    blocks = [
        Block(number=10**6 + n, hash=word(10**9 + n), time=now + timedelta(seconds=n))
        for n in range(count // 100 + 1)
    ]
    Block.objects.bulk_create(blocks)
    authors = [f"0x{n + 7:040x}" for n in range(senders)]
    insert_rows(
        Event(
            block=blocks[n // 100],
            block_number=blocks[n // 100].number,
            block_hash=blocks[n // 100].hash,
            block_time=blocks[n // 100].time,
            log_index=n % 100,
            tx_hash=word(1),
            name="AccessRequested",
            author=authors[n % senders],
            subject=patient.address,
            args={"author": authors[n % senders], "patient": patient.address, "via": VIA, "request": word(n)},
            act_digest=word(10**12 + n),
            slot=f"request:{word(n)}",
            number=1,
            applied=True,
        )
        for n in range(count)
    )


def walk(patient: Actor, chosen: HistoryFilter | None = None, size: int = 500) -> list[HistoryEntry]:
    """Every page of the history, one after the other."""
    lines: list[HistoryEntry] = []
    cursor, more = "", True
    while more:
        page = log.access_history(
            actor=patient, patient=patient.address, chosen=chosen, cursor=cursor, size=size
        )
        lines += page.lines
        cursor, more = page.older, bool(page.older)
    return lines


def token(patient: Actor) -> dict[str, str]:
    """Return the headers of an API call."""
    _, secret = tokens.make_token(actor=patient, name="history", scope="read", days=1)
    return {"authorization": f"Bearer {secret}"}


def test_every_line_is_reached_after_ten_thousand_of_strangers(patient: Actor, record: str) -> None:
    before = len(walk(patient))
    look_at(patient, record, 3)
    ask(patient, MANY)
    lines = walk(patient)
    assert len(lines) == before + 3 + MANY
    assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)
    assert [line.action for line in lines[-3:]] == ["viewed"] * 3
    auth, path, told = token(patient), "/api/v1/history?limit=1000", []
    while path:
        answer = Client().get(path, headers=auth)
        told += answer.json()
        found = re.fullmatch('<(.+)>; rel="next"', answer.headers.get("Link", ""))
        path = found[1] if found else ""
    assert [line["at"] for line in told] == [line.at.isoformat().replace("+00:00", "Z") for line in lines]


def test_filters_count_before_a_page_is_cut(patient: Actor, record: str) -> None:
    look_at(patient, record, 3)
    look_at(patient, record, 2, viewer=OTHER)
    ask(patient, MANY)
    auth = token(patient)

    def told(query: str) -> list[dict[str, Any]]:
        answer = Client().get(f"/api/v1/history?{query}", headers=auth)
        assert answer.status_code == 200
        lines: list[dict[str, Any]] = answer.json()
        return lines

    assert len(told("topic=views")) == 5
    assert [line["action"] for line in told("topic=changes")] == ["added"]
    assert {line["action"] for line in told(f"record={record}")} == {"viewed", "added"}
    assert len(told(f"agent={OTHER}")) == 2
    assert {line["action"] for line in told("topic=sharing&limit=1000")} == {"requested"}
    (requests,) = told("topic=sharing&fold=true")
    assert (requests["count"], requests["action"]) == (MANY, "requested")


def test_looks_of_one_viewer_at_one_record_are_one_line_with_a_count(patient: Actor, record: str) -> None:
    look_at(patient, record, 505)
    look_at(patient, record, 2, viewer=OTHER)
    folded = walk(patient, HistoryFilter(topic="views", fold=True))
    counts = {line.agent: line.count for line in folded}
    assert counts == {DOCTOR: 505, OTHER: 2}
    (mine,) = (line for line in folded if line.agent == DOCTOR)
    assert (mine.first_at, mine.at) == (LONG_AGO, LONG_AGO + timedelta(minutes=504))
    each = walk(patient, HistoryFilter(topic="views", agent=DOCTOR, record=record))
    assert len({line.at for line in each}) == 505


def test_lines_of_one_moment_are_cut_nowhere(patient: Actor, record: str) -> None:
    ask(patient, 100)
    event = Event.objects.named("AccessRequested").latest("pk")
    same = event.block_time
    ViewLog.objects.bulk_create(
        ViewLog(patient=patient.address, record=record, viewer=DOCTOR, via=VIA, what="content", at=same)
        for _ in range(40)
    )
    Act.objects.bulk_create(
        Act(
            kind="RequestAccess",
            author=OTHER,
            subject=patient.address,
            fields={"author": OTHER, "patient": patient.address, "via": VIA, "nonce": word(n)},
            digest=word(10**15 + n),
            signature=b"",
            slot=f"request:{word(10**15 + n)}",
            number=1,
            created_at=same,
        )
        for n in range(30)
    )
    whole = walk(patient)
    for size in (1, 7, 40, 41):
        assert walk(patient, size=size) == whole
    assert len([line for line in whole if line.at == same]) == 170


def test_ten_thousand_lines_take_the_statements_of_ten(patient: Actor, record: str) -> None:
    browser, auth = sign_in(patient.user), token(patient)
    look_at(patient, record, 5)
    ask(patient, 10, senders=10)
    paths = ["/history/", "/history/?topic=views", "/history/?each=1", f"/records/{record}/", "/"]

    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = browser.get(path)
        assert answer.status_code == 200
        assert len(answer.content) < 100_000
        return len(captured)

    def count_call() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert Client().get("/api/v1/history?limit=10", headers=auth).status_code == 200
        return len(captured)

    def all_counts() -> list[int]:
        return [*map(count, paths), count_call()]

    all_counts()
    few = all_counts()
    Block.objects.filter(number__gte=10**6).delete()
    ask(patient, MANY, senders=200)
    assert all(now <= then + 5 for now, then in zip(all_counts(), few, strict=True))


def test_nobody_has_opened_it_only_where_nobody_has(patient: Actor, record: str) -> None:
    browser, page = sign_in(patient.user), f"/records/{record}/"
    ask(patient, MANY)
    assert "Nobody has opened it." in browser.get(page).content.decode()
    look_at(patient, record, 505)
    told = browser.get(page).content.decode()
    assert "Nobody has opened it." not in told
    assert "505 times" in told
    each = browser.get(f"/history/?each=1&topic=views&record={record}&agent={DOCTOR}").content.decode()
    assert each.count("opened a record") == 50
    assert "Older" in each


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=MQ:1:x", "topic=all", "record=1", "agent=%00", "record=%00"]
)
def test_what_is_no_page_of_the_history_is_refused(patient: Actor, query: str) -> None:
    assert sign_in(patient.user).get(f"/history/?{query}").status_code == 400
    assert Client().get(f"/api/v1/history?{query}", headers=token(patient)).status_code == 400


def test_a_cursor_that_somebody_made_up_is_refused(patient: Actor) -> None:
    with pytest.raises(InvalidInput):
        log.access_history(actor=patient, patient=patient.address, cursor="WyIyMDI2Il0:1tS:abc")


def test_only_the_patient_sees_it(chain: ChainNode, patient: Actor) -> None:
    other = make_patient("Eve Hill")
    chain.settle()
    with pytest.raises(NotFound):
        log.access_history(actor=other, patient=patient.address)


def test_the_export_has_every_line(patient: Actor, record: str, tmp_path: Path) -> None:
    look_at(patient, record, 3)
    ask(patient, MANY)
    with CaptureQueriesContext(connection) as captured:
        pieces = list(_exported(patient))
    assert len(captured) < 1500
    path = tmp_path / "export.zip"
    path.write_bytes(b"".join(pieces))
    with ZipFile(path) as archive:
        index = json.loads(archive.read("index.json"))
        page = archive.read("index.html").decode()
    assert len(index["history"]) == len(walk(patient))
    assert page.count("asked for access") == MANY
    assert page.count("opened a record") == 3


def _exported(patient: Actor) -> Iterator[bytes]:
    return export.stream_export(export.plan_export(actor=patient, patient=patient.address))
