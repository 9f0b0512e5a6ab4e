"""`/metrics`: off by default, by token alone, true, added up over processes, and without a person in it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from accounts.models import Notification
from accounts.notifications import queue_sealed
from chain.models import Act, Cursor, Sender
from chain.status.health import forget_answers
from medrec.metrics import check_token
from tests.chain_node import ChainNode, fresh_person

TOKEN = "a-token-of-the-monitoring-host"
Values = dict[tuple[str, ...], float]


@pytest.fixture
def watched(settings: Settings) -> Iterator[Client]:
    """A browser on a portal with metrics turned on."""
    settings.METRICS_TOKEN = TOKEN
    forget_answers()
    yield Client()
    forget_answers()


def scrape(client: Client) -> tuple[str, Values]:
    """The text, and each sample by its name and its labels' values."""
    answer = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    text = answer.content.decode()
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    return text, {(one.name, *map(str, one.labels.values())): one.value for one in samples}


def test_it_is_off_by_default(client: Client) -> None:
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404


OTHERS = ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]


@pytest.mark.parametrize("given", OTHERS)
def test_another_token_is_refused(watched: Client, given: str) -> None:
    answer = watched.get("/metrics", headers={"authorization": given} if given else {})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert b"medrec_" not in answer.content


def test_a_token_that_can_be_guessed_is_refused_at_the_start(settings: Settings) -> None:
    assert check_token(None) == []
    settings.METRICS_TOKEN = TOKEN
    assert check_token(None) == []
    settings.METRICS_TOKEN = "short"
    (error,) = check_token(None)
    assert error.id == "medrec.E001"
    assert "METRICS_TOKEN" in error.msg
    assert "short" not in error.msg.replace("too short", "")


def test_queue_chain_and_relayer_are_as_the_tables_say(chain: ChainNode, watched: Client) -> None:
    chain.new_record(fresh_person())
    chain.settle()
    waits = chain.new_record(fresh_person())
    Cursor.objects.update(head=1_000_000, error="")
    relayer = Sender.objects.get()
    Sender.objects.update(balance=5 * 10**17, held=True)
    cursor = Cursor.objects.get()

    _, found = scrape(watched)
    assert found["medrec_acts", "waiting"] == 1
    assert found["medrec_acts", "confirmed"] == 1
    assert found["medrec_acts", "failed"] == 0
    assert found["medrec_acts_waiting", waits.kind, "queued"] == 1
    assert found["medrec_act_oldest_waiting_seconds",] > 0
    assert found["medrec_chain_head_block",] == 1_000_000
    assert found["medrec_chain_indexed_block",] == cursor.applied
    assert found["medrec_chain_lag_blocks",] == 1_000_000 - 1 - cursor.applied
    assert found["medrec_chain_sync_failing",] == 0
    assert found["medrec_relayer_balance_ether", relayer.address] == 0.5
    assert found["medrec_relayer_paused", relayer.address] == 1
    assert found["medrec_transactions", "confirmed"] == 1
    assert found["medrec_transactions_stuck",] == 0
    assert ("medrec_up", "store") in found

    Sender.objects.update(held=False, paused_reason="")
    Cursor.objects.update(error="The chain's node does not answer.")
    _, found = scrape(watched)
    assert found["medrec_relayer_paused", relayer.address] == 0
    assert found["medrec_chain_sync_failing",] == 1


@pytest.mark.django_db
def test_mails_are_counted_by_where_they_stand(watched: Client) -> None:
    rows = [
        queue_sealed(email=f"{name}@example.org", kind="test", subject="s", body="b")
        for name in ("ada", "ben", "eve")
    ]
    _, found = scrape(watched)
    assert (found["medrec_mails", "waiting"], found["medrec_mail_failing",]) == (3, 0)
    now, hour_ago = timezone.now(), timezone.now() - timedelta(hours=1)
    mails = Notification.objects
    mails.filter(pk=rows[0].pk).update(problem="TimeoutError", created_at=hour_ago)
    mails.filter(pk=rows[1].pk).update(sent_at=now)
    mails.filter(pk=rows[2].pk).update(ended_at=now, ended_as="refused", problem="550 no")
    text, found = scrape(watched)
    states = ("waiting", "sent", "refused", "expired", "replaced")
    assert [found["medrec_mails", state] for state in states] == [1, 1, 1, 0, 0]
    assert found["medrec_mail_failing",] == 1
    assert 3600 <= found["medrec_mail_oldest_waiting_seconds",] < 4000
    assert "example.org" not in text


@pytest.mark.django_db
def test_requests_are_counted_by_view_and_never_by_path(watched: Client) -> None:
    before = scrape(watched)[1]
    person = fresh_person().address
    watched.get("/accounts/login/")
    watched.get("/accounts/login/")
    watched.get(f"/nowhere/{person}/")
    watched.generic("BREW", "/nowhere/")
    text, found = scrape(watched)

    def grown(*key: str) -> float:
        return found[key] - before.get(key, 0)

    assert grown("medrec_http_requests_total", "GET", "200", "account_login") == 2
    assert grown("medrec_http_request_seconds_count", "GET", "account_login") == 2
    assert grown("medrec_http_requests_total", "GET", "404", "unmatched") == 1
    assert grown("medrec_http_requests_total", "other", "404", "unmatched") == 1
    assert "/metrics" not in text
    assert "nowhere" not in text


def test_no_label_holds_a_persons_address(chain: ChainNode, watched: Client) -> None:
    patient = fresh_person()
    act = chain.new_record(patient)
    chain.settle()
    text, _ = scrape(watched)
    event = Act.objects.get(pk=act.pk).event
    assert event is not None
    hidden = [patient.address, act.digest, act.slot, act.fields["content"], event.tx_hash]
    assert not [word for word in hidden if word.lower() in text.lower()]


@pytest.mark.django_db
def test_the_counts_of_another_process_are_added(watched: Client) -> None:
    key = ("medrec_http_requests_total", "GET", "200", "another")
    before = scrape(watched)[1].get(key, 0)
    code = (
        "import django; django.setup(); from medrec.metrics import REQUESTS;"
        "REQUESTS.labels('another', 'GET', '200').inc(3)"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "medrec.settings"}
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, check=True, timeout=60)
    assert scrape(watched)[1][key] == before + 3


@pytest.mark.django_db
def test_without_a_database_what_is_left_is_shown(watched: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OperationalError("the server is away")

    monkeypatch.setattr("medrec.gauges.overview", gone)
    text, found = scrape(watched)
    assert ("medrec_up", "database") in found
    assert "medrec_acts" not in text
