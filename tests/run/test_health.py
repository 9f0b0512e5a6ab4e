"""`/healthz` and `/readyz`: what answers, what does not, in time, and without a word too much."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from chain import tasks
from chain.localchain.node import free_port
from chain.models import Act, Cursor, Pulse, Sender
from chain.status import health, pulses
from chain.status.health import HealthCheck, check_health, forget_answers, register_check
from chain.support.shared_clock import SharedNow
from tests.chain_node import ChainNode, fresh_person, state_of

READY = [
    "database",
    "broker",
    "chain id",
    "contract",
    "roles",
    "lag",
    "reading",
    "tasks",
    "acts",
    "store",
    "scanner",
]


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    """No answer of another test's."""
    forget_answers()
    yield
    forget_answers()


@pytest.fixture
def well(transactional_db: None, chain_node: ChainNode) -> ChainNode:
    """A portal that has read its chain; committed, since checks have connections of their own."""
    del transactional_db
    Cursor.objects.all().delete()
    tasks.relay()
    tasks.sync()
    return chain_node


def ask(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["checks"]


@pytest.mark.django_db
def test_a_live_process_answers_without_the_database(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.cookies["sessionid"] = "whatever"
    with django_assert_num_queries(0):
        answer = client.get("/healthz", headers={"host": "10.1.2.3"})
    assert (answer.status_code, answer.json()) == (200, {"live": True})
    assert not answer.cookies
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_no_probe_is_sent_to_https_or_written_to(client: Client, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/").status_code == 301
    assert client.get(path).status_code in (200, 404, 503)
    assert client.post(path).status_code == 405


@pytest.mark.usefixtures("well")
def test_a_portal_that_is_well_is_ready(
    client: Client,
) -> None:
    status, checks = ask(client)
    assert checks == {name: {"ok": True} for name in READY}
    assert status == 200


@pytest.mark.usefixtures("well")
def test_a_node_that_is_away_is_named_and_nothing_else(client: Client, settings: Settings) -> None:
    port = free_port()
    settings.CHAIN_RPC_URL = f"http://user:secret@127.0.0.1:{port}"
    status, checks = ask(client)
    assert status == 503
    assert {name for name, found in checks.items() if not found["ok"]} == {"chain id", "contract", "roles"}
    assert checks["contract"] == {"ok": False, "reason": "does not answer"}
    assert not {"secret", str(port)} & set(str(checks).replace(":", " ").split())


@pytest.mark.usefixtures("well")
def test_another_chain_and_another_contract_are_told_apart(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chain.node.identity.chain_id", lambda: 1)
    monkeypatch.setattr("chain.node.client.code", lambda _: b"\x60")
    _, checks = ask(client)
    assert checks["chain id"]["reason"] == "the node is of another chain"
    assert checks["contract"]["reason"] == "another contract is at its address"


@pytest.mark.usefixtures("well")
def test_reading_that_stopped_is_a_lag(
    client: Client,
) -> None:
    Cursor.objects.update(read_tick=SharedNow(-timedelta(seconds=90)))
    status, checks = ask(client)
    assert status == 503
    assert checks["lag"]["reason"].endswith("seconds behind")


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize("tick", [None, SharedNow(-timedelta(hours=1)), SharedNow(timedelta(hours=1))])
def test_a_chain_that_is_not_known_is_not_ready(client: Client, tick: Any) -> None:
    Cursor.objects.update(read_tick=tick)
    status, checks = ask(client)
    assert status == 503
    assert checks["reading"]["reason"] == "the chain was not read to its end in the last seconds"


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize("task", pulses.TASKS)
@pytest.mark.parametrize("tick", [SharedNow(-timedelta(seconds=31)), SharedNow(timedelta(hours=1))])
def test_a_worker_that_runs_no_task_is_not_ready(client: Client, task: str, tick: Any) -> None:
    assert ask(client)[0] == 200
    Pulse.objects.filter(pk=task).update(tick=tick)
    forget_answers()
    status, checks = ask(client)
    assert status == 503
    assert checks["tasks"]["reason"] == "no task has run for a while"
    tasks.relay()
    tasks.sync()
    forget_answers()
    assert ask(client)[0] == 200


def test_an_act_that_waits_is_not_ready_whoever_holds_it_up(client: Client, well: ChainNode) -> None:
    act = fresh_person().submit("NameFolder", folder=1, name=bytes(32), serial=1)
    for waits, status in (
        ({}, 200),
        (long_waits(61), 503),
        (long_waits(-61), 503),
        ({"waiting_tick": None}, 503),
    ):
        Act.objects.update(**waits)
        forget_answers()
        assert ask(client)[0] == status, waits
    assert ask(client)[1]["acts"]["reason"] == "something accepted has waited for more than a minute"
    Sender.objects.update(held=True)
    forget_answers()
    assert ask(client)[0] == 503
    for refusal in ({"tries": 1}, {"refused_block": 7}):  # the act's own fault: the portal is well
        before = Act.objects.values(*refusal).get()
        Act.objects.update(**refusal)
        forget_answers()
        assert ask(client)[0] == 200, refusal
        Act.objects.update(**before)
    Sender.objects.update(held=False)
    well.settle()
    assert state_of(act) == "confirmed"
    forget_answers()
    assert ask(client)[0] == 200


def test_an_act_behind_a_refused_one_is_not_late(client: Client, well: ChainNode) -> None:
    person = fresh_person()
    first = person.submit("PublishKey", version=1, key=bytes(1217))
    second = person.submit("NameFolder", folder=1, name=bytes(32), serial=1)
    second.needs.add(first)
    Act.objects.update(**long_waits(120))
    Act.objects.filter(pk=first.pk).update(tries=3)
    forget_answers()
    assert ask(client)[0] == 200
    well.settle()


def long_waits(seconds: int) -> dict[str, Any]:
    return {"waiting_tick": SharedNow(-timedelta(seconds=seconds))}


@pytest.mark.usefixtures("well")
def test_a_store_that_cannot_be_used(client: Client, settings: Settings, tmp_path: Any) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    settings.STORE_PATH = blocked / "store"
    status, checks = ask(client)
    assert (status, checks["store"]) == (503, {"ok": False, "reason": "does not answer"})


@pytest.mark.django_db
def test_what_hangs_is_reported_in_time_and_not_started_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, runs = threading.Event(), []

    def hang() -> None:
        runs.append(1)
        go.wait(30)

    monkeypatch.setattr(health, "LIMIT", 0.3)
    monkeypatch.setattr(health, "BRIEF", 0.01)
    monkeypatch.setattr(
        health, "_checks", {"slow": HealthCheck("slow", hang), "quick": HealthCheck("quick", lambda: None)}
    )
    took = []
    try:
        for _ in range(3):
            begun = time.monotonic()
            status, checks = ask(client)
            took.append(time.monotonic() - begun)
            assert status == 503
            assert checks["slow"]["reason"] == "no answer within 0.3 seconds"
            assert checks["quick"] == {"ok": True}
    finally:
        go.set()
    assert runs == [1]
    assert took[0] > 0.3
    assert max(took) < 10  # not the 30 that it hangs


def test_what_was_mended_is_well_at_the_next_question(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = True

    def run() -> None:
        if broken:
            raise health.Unhealthy("it is broken")

    monkeypatch.setattr(health, "_checks", {"part": HealthCheck("part", run)})
    monkeypatch.setattr(health, "KEPT", 0.0)
    monkeypatch.setattr(health, "BRIEF", 30.0)
    assert [one.reason for one in check_health()] == ["it is broken"]
    broken = False
    assert [one.reason for one in check_health()] == [""]


def test_an_answer_is_kept_so_that_asking_often_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    monkeypatch.setattr(health, "_checks", {})
    monkeypatch.setattr(health, "KEPT", 3600.0)
    register_check("counted", lambda: runs.append(1))
    for _ in range(20):
        assert [one.ok for one in check_health()] == [True]
    assert runs == [1]
    monkeypatch.setattr(health, "KEPT", 0.0)
    check_health()
    assert runs == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_checks_leave_no_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[BaseDatabaseWrapper] = []
    closed: list[BaseDatabaseWrapper] = []

    def ask_the_database() -> None:
        Cursor.objects.exists()
        mine = connections["default"]  # this thread's; one in memory stays open when it is closed
        opened.append(mine)
        close = mine.close

        def close_noted() -> None:
            closed.append(mine)
            close()

        monkeypatch.setattr(mine, "close", close_noted)

    monkeypatch.setattr(health, "_checks", {"database": HealthCheck("database", ask_the_database)})
    assert [one.reason for one in check_health()] == [""]
    assert opened != [connections["default"]]
    assert closed == opened
