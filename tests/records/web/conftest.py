"""Browsers of a patient and a doctor, on a real chain and a real store."""

from dataclasses import dataclass

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Account, Institution, User
from accounts.services import affiliations
from accounts.services.signup import open_actor
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.people import PASSWORD, make_doctor, make_institution, make_person

BLOOD = b"%PDF-1.7\n" + b"Haemoglobin 11.1 g/dl, ferritin 9 ug/l. " * 50


@dataclass
class Visitor:
    """Somebody with a browser that is signed in."""

    user: User
    client: Client
    address: str


def visit(user: User, kind: str = Account.Kind.PATIENT) -> Visitor:
    """Sign in by the page, as a new browser."""
    cache.clear()
    return Visitor(user, sign_in(user), user.accounts.get(kind=kind).address)


@pytest.fixture
def patient(chain: ChainNode) -> Visitor:
    """A patient whose key is published."""
    user = make_person("Asha Verma")
    chain.settle()
    return visit(user)


@pytest.fixture
def stranger(chain: ChainNode) -> Visitor:
    """Another patient."""
    user = make_person("Ben Carter")
    chain.settle()
    return visit(user)


@dataclass
class Clinic:
    """An admitted institution and its affiliated doctor."""

    institution: Institution
    doctor: Visitor


@pytest.fixture
def clinic(chain: ChainNode) -> Clinic:
    """Admitted and affiliated, confirmed."""
    institution, manager = make_institution()
    doctor = make_doctor(institution)
    chain.admit(institution.address)
    chain.settle()
    affiliations.affiliate_doctor(actor=manager, institution=institution, doctor=doctor.address)
    chain.settle()
    open_actor(doctor.user, PASSWORD, Account.Kind.PRACTITIONER)
    return Clinic(institution, visit(doctor.user, Account.Kind.PRACTITIONER))


def describe(client: Client, path: str = "/records/upload/", **more: object) -> str:
    """Describe an upload. Return the path for its bytes."""
    values = {
        "title": "Blood report",
        "kind": "11502-2",
        "service_date": "2026-03-02",
        "folder": "1",
        "file_name": "blood.pdf",
        "media_type": "application/pdf",
        "size": len(BLOOD),
    }
    answer = client.post(path, values | more)
    assert answer.status_code == 201, answer.content.decode()
    found: str = answer.json()["bytes"]
    return found


def send(client: Client, path: str, body: bytes = BLOOD) -> str:
    """Send the bytes. Return the record's page."""
    answer = client.put(path, body, content_type="application/octet-stream")
    assert answer.status_code == 201, answer.content.decode()
    found: str = answer.json()["next"]
    return found
