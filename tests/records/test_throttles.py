"""Visitors without a token are counted by the address that really asks."""

import json
import subprocess
import sys
import time

import pytest
from django.test import Client
from rest_framework.settings import api_settings
from rest_framework.throttling import UserRateThrottle

from records.api.throttling import AccountThrottle
from tests.records.racing import ROOT

pytestmark = pytest.mark.django_db

SCHEMA = "/api/v1/schema"
SAID = "import os, json, medrec.settings as s; print(json.dumps(s.REST_FRAMEWORK['NUM_PROXIES']))"


def ask(address: str, forwarded: str) -> int:
    """The status of the schema for a visitor."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return Client(REMOTE_ADDR=address, headers=headers).get(SCHEMA).status_code


@pytest.fixture
def two_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/min"})


@pytest.mark.usefixtures("two_a_minute")
def test_a_header_makes_no_new_visitor() -> None:
    assert [ask("192.0.2.1", f"198.51.100.{last}") for last in range(4)] == [200, 200, 429, 429]
    assert ask("192.0.2.2", "198.51.100.1") == 200


@pytest.mark.usefixtures("two_a_minute")
def test_behind_a_proxy_its_own_entry_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_settings, "NUM_PROXIES", 1)
    asked = [ask("127.0.0.1", f"203.0.113.{last}, 198.51.100.1") for last in range(3)]
    assert asked == [200, 200, 429]
    assert ask("127.0.0.1", "198.51.100.2") == 200


@pytest.mark.parametrize(("behind", "proxies"), [("", 0), ("true", 1)])
def test_proxies_are_trusted_as_behind_proxy_says(behind: str, proxies: int, tmp_path: object) -> None:
    environment = {"VAR": str(tmp_path), "PATH": "", **({"BEHIND_PROXY": behind} if behind else {})}
    done = subprocess.run(
        [sys.executable, "-c", SAID], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == proxies


@pytest.mark.usefixtures("two_a_minute")
@pytest.mark.parametrize("ahead", [3600, 86_400])
def test_calls_by_a_clock_that_has_stepped_back_are_not_counted(
    monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    with monkeypatch.context() as stepped:
        stepped.setattr(AccountThrottle, "timer", staticmethod(lambda: time.time() + ahead))
        assert [ask("192.0.2.3", "") for _ in range(3)] == [200, 200, 429]
    assert [ask("192.0.2.3", "") for _ in range(3)] == [200, 200, 429]
