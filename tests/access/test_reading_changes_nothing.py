"""A GET or a HEAD changes nothing: each address is asked by a patient, a doctor and a manager."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Errand, OpenVault
from accounts.services import errands, invitations, tokens
from chain.models import Act
from records.services import requests, uploads
from records.services.after_restore import AFTER_RESTORE
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.exploits.crawling import Crawler
from tests.people import fresh_email
from tests.records.conftest import LABORATORY, Clinic, grant, upload
from tests.records.test_refusals import refuse, the_only
from tests.records.test_requests import mail_link

pytestmark = pytest.mark.django_db

WRITE = re.compile(r'^\s*(INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?(?:\s+SET\s+(.*))?', re.DOTALL)
COLUMN = re.compile(r'"(\w+)" = ')
# What a page view may write, each with the reason: a table, or one column of it.
MAY_WRITE = {
    "django_session": "Django keeps the session of whoever looks",
    "accounts_openvault.seen_at": "somebody is at the keyboard: the vault stays open",
    "accounts_apitoken.last_used_at": "the token's page tells when it was last used",
    "records_viewlog": "a patient sees who opened a record",
}


@pytest.fixture
def people(chain: ChainNode, patient: Actor, clinic: Clinic) -> list[Crawler]:
    """A patient with something of everything, a doctor and a manager. Each has a key task due."""
    record = upload(patient, data=b"Ferritin 9 ug/l\n" * 40, file_name="ferritin.txt").record
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    asked = _asked(clinic, patient)
    chain.settle()
    values: dict[str, list[Any]] = {
        "record": [record],
        "version": [1],
        "folder": [1],
        "address": [patient.address],
        "doctor": [clinic.doctor.address],
        "via": [clinic.via],
        "upload": [_begun(patient)],
        "request_id": [asked],
        "institution_id": [clinic.institution.pk],
        "act_id": [Act.objects.filter(author=patient.address).latest("created_at").pk],
        "secret": [_invited(clinic), mail_link(clinic, patient.user.email)],
        "errand": [_restored(patient)],
        "refusal": [_refused(clinic, asked)],
    }
    chain.settle()
    crawlers = [_crawler(actor, values) for actor in (patient, clinic.doctor, clinic.manager)]
    for actor in (patient, clinic.doctor, clinic.manager):
        errands.add_errand(account=actor.address, kind="publish-key", subject=actor.address)
    OpenVault.objects.update(errands_at=timezone.now() - timedelta(minutes=1))
    cache.clear()
    return crawlers


def _begun(patient: Actor) -> str:
    described = uploads.describe_upload(
        actor=patient,
        patient=None,
        title="Scan",
        kind=LABORATORY,
        service_date=timezone.now().date(),
        folder=1,
        file_name="scan.pdf",
        media_type="application/pdf",
        size=1000,
    )
    return described.id


def _asked(clinic: Clinic, patient: Actor) -> str:
    asked = requests.request_access(
        actor=clinic.doctor,
        patient=patient.address,
        via=clinic.via,
        purpose="TREAT",
        kinds=[],
        permissions="read",
        days=30,
        note="",
    )
    return asked.id


def _restored(patient: Actor) -> uuid.UUID:
    """Leave the news that something was lost in a restore."""
    lost = {"lost": [["GrantAccess", "", "2026-11-30T22:00:00+00:00"]]}
    return errands.add_errand(account=patient.address, kind=AFTER_RESTORE, subject="2", details=lost).pk


def _refused(clinic: Clinic, asked: str) -> uuid.UUID:
    """Withdraw the request. The contract refuses it."""
    requests.withdraw_request(actor=clinic.doctor, request=asked)
    refuse("WithdrawRequest")
    return the_only(clinic.doctor).id


def _invited(clinic: Clinic) -> str:
    return invitations.invite_member(
        institution=clinic.institution, email=fresh_email("Guest"), role="doctor", invited_by=None
    )


def _crawler(actor: Actor, values: dict[str, list[Any]]) -> Crawler:
    _, secret = tokens.make_token(actor=actor, name="reader", scope="act", days=1)
    client = sign_in(actor.user)
    client.raise_request_exception = False
    return Crawler(client, secret, values)


def _with_queries(person: Crawler) -> Iterator[str]:
    """Yield each address, and once more with everything that a page or the API may be asked about."""
    pools = {"patient": "address", "grantee": "doctor", "request": "request_id", "via": "via"}
    query = urlencode({name: person.pools[pool][0] for name, pool in pools.items()})
    for address in person.addresses(elsewhere=True):
        yield address
        yield f"{address}?{query}"


@contextmanager
def _watched(written: set[str]) -> Iterator[None]:
    """Note what each statement that changed a row wrote: "table", or "table.column" of an UPDATE."""

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        match = WRITE.match(sql)
        if match and context["cursor"].rowcount:
            verb, table, assigned = match.groups()
            columns = COLUMN.findall((assigned or "").split(" WHERE ")[0]) if verb == "UPDATE" else []
            written.update(f"{table}.{column}" for column in columns) if columns else written.add(table)
        return result

    with connection.execute_wrapper(note):
        yield


def _not_allowed(written: set[str]) -> set[str]:
    return {name for name in written if name not in MAY_WRITE and name.split(".")[0] not in MAY_WRITE}


@pytest.mark.parametrize("method", ["get", "head"])
def test_no_address_changes_anything_when_it_is_read(
    people: list[Crawler], method: str, store_folder: Path
) -> None:
    before = sorted(path for path in store_folder.rglob("*") if path.is_file())
    changing: dict[str, set[str]] = {}
    answered = 0
    for person in people:
        for address in _with_queries(person):
            written: set[str] = set()
            with _watched(written):
                answer = person.ask(method, address)
            answered += answer.status == 200
            if _not_allowed(written):
                changing.setdefault(address, set()).update(_not_allowed(written))
    assert changing == {}
    assert answered > 100
    assert sorted(path for path in store_folder.rglob("*") if path.is_file()) == before
    assert Errand.objects.filter(state=Errand.State.OPEN, kind="publish-key", attempts=0).count() == 3
