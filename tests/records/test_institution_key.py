"""Folders granted to an institution move on to its next key when a doctor leaves."""

import pytest

from accounts import directory
from accounts.actor import Actor
from accounts.services import affiliations
from chain.models import Act
from records.models import Envelope
from tests.chain_node import ChainNode
from tests.people import make_doctor
from tests.records.conftest import Clinic, grant, reopened, run_errands, upload
from tests.records.test_sharing import read

pytestmark = pytest.mark.django_db


def test_a_folder_granted_to_an_institution_moves_on_when_a_doctor_leaves(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    leaves = make_doctor(clinic.institution, "Lee North")
    chain.settle()
    affiliations.affiliate_doctor(actor=clinic.manager, institution=clinic.institution, doctor=leaves.address)
    chain.settle()
    grant(patient, clinic.via, clinic.via)
    chain.settle()
    kept = directory.public_key(clinic.via).digest
    assert leaves.sharing_seed(kept) is not None

    affiliations.leave_institution(actor=leaves, institution=clinic.institution)
    chain.settle()
    run_errands(clinic.manager)
    chain.settle()
    run_errands(patient)
    assert Act.objects.of_kind("RekeyFolder").count() == 1
    chain.settle()
    fresh = Envelope.objects.filter(recipient=clinic.via).order_by("-pk").first()
    assert fresh is not None
    assert fresh.key_digest == directory.public_key(clinic.via).digest != kept
    later = upload(patient, title="After the leaving").record
    chain.settle()
    assert read(reopened(clinic.doctor), later)
    run_errands(patient)
    assert Act.objects.of_kind("RekeyFolder").count() == 1
