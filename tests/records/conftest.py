"""Fixtures that tests of records and consent share: a clinic on a real chain, uploads, grants."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Account, Errand, Institution
from accounts.services import admissions, affiliations, errands, signup
from chain.models import Act
from records.services import grants, uploads
from records.shapes import RecordView
from tests.chain_node import ChainNode
from tests.people import PASSWORD, make_doctor, make_institution, make_patient

LABORATORY = "11502-2"
IMAGING = "18748-4"
FILE = b"%PDF-1.7 haemoglobin 13.9 g/dl" * 40


@dataclass
class Clinic:
    """An admitted institution with an affiliated doctor."""

    institution: Institution
    manager: Actor
    doctor: Actor

    @property
    def via(self) -> str:
        """The institution's address."""
        return self.institution.address


@pytest.fixture(autouse=True)
def store_folder(tmp_path: Path) -> Iterator[Path]:
    """Every test has a file store of its own."""
    former, settings.STORE_PATH = settings.STORE_PATH, tmp_path / "store"
    yield tmp_path / "store"
    settings.STORE_PATH = former


def make_clinic(chain: ChainNode, name: str = "Ruby Hospital", doctor: str = "Dana Reed") -> Clinic:
    """Admit an institution, with its doctor affiliated and sealed the institution's seeds."""
    institution, manager = make_institution(name)
    admissions.admit_institution(institution=institution, admitted=True)
    one = make_doctor(institution, doctor)
    affiliations.affiliate_doctor(actor=manager, institution=institution, doctor=one.address)
    chain.settle()
    run_errands(manager)
    return Clinic(institution, manager, reopened(one))


@pytest.fixture
def clinic(chain: ChainNode) -> Clinic:
    """Ruby Hospital and its doctor Dana Reed."""
    return make_clinic(chain)


@pytest.fixture
def patient(chain: ChainNode) -> Actor:
    """A patient whose key is published."""
    actor = make_patient()
    chain.settle()
    return actor


def reopened(actor: Actor) -> Actor:
    """Return the same account as a later request sees it."""
    return signup.open_actor(actor.user, PASSWORD, Account.Kind(actor.kind))


def run_errands(actor: Actor) -> int:
    """Run an actor's errands now, however lately they were tried."""
    Errand.objects.update(tried_at=None)
    return errands.run_errands(actor)


def upload(
    actor: Actor,
    *,
    patient: str | None = None,
    title: str = "Blood report",
    kind: str = LABORATORY,
    day: date = date(2026, 3, 1),
    folder: int | None = None,
    via: str = "",
    data: bytes = FILE,
    replaces: str | None = None,
    file_name: str = "",
) -> RecordView:
    """Describe and send a file."""
    described = uploads.describe_upload(
        actor=actor,
        patient=patient,
        title=title,
        kind=kind,
        service_date=day,
        folder=folder,
        via=via,
        nonce="my own words",
        file_name=file_name or ("report.pdf" if data.startswith(b"%PDF") else "report.dat"),
        media_type="application/pdf",
        size=len(data),
        replaces=replaces,
    )
    return uploads.receive_upload(actor=actor, upload_id=described.id, stream=pieces(data), length=len(data))


def pieces(data: bytes) -> Iterator[bytes]:
    """A body as a socket gives it."""
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


def grant(
    patient: Actor,
    grantee: str,
    via: str,
    *,
    folders: tuple[int, ...] = (1,),
    records: tuple[str, ...] = (),
    permissions: str = "read",
    days: float = 30,
    request: str | None = None,
) -> list[Act]:
    """Propose and confirm."""
    proposal = grants.propose_grant(
        actor=patient,
        grantee=grantee,
        via=via,
        folders=folders,
        records=records,
        permissions=permissions,
        expires_at=timezone.now() + timedelta(days=days),
        request=request,
    )
    return grants.grant_access(actor=patient, proposal=proposal)


def select_all(patient: Actor, grantee: str, via: str) -> None:
    """Grant what there is now as a selection."""
    expires_at = timezone.now() + timedelta(days=30)
    proposal = grants.propose_grant(
        actor=patient, grantee=grantee, via=via, selection=True, expires_at=expires_at
    )
    grants.grant_access(actor=patient, proposal=proposal)
