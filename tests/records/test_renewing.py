"""Grants of a record or a selection are sealed anew when a key has moved, or an envelope is lost."""

import pytest
from django.utils import timezone

from accounts import directory
from accounts.actor import Actor
from accounts.models import Membership
from accounts.services import affiliations, invitations, vaults
from chain.models import Act, Cursor
from chain.reconcile.run import RunOptions, reconcile
from records.content import settle_blobs, store
from records.errors import NotFound
from records.models import Blob, Envelope, Grant, Selection, SelectionRecord, Version
from records.services import requests, revocations
from records.services.reconciling import checks
from records.storage import Cid
from tests.chain_node import ChainNode
from tests.people import PASSWORD, make_doctor
from tests.records.conftest import (
    Clinic,
    grant,
    make_clinic,
    reopened,
    run_errands,
    select_all,
    upload,
)
from tests.records.test_sharing import read

pytestmark = pytest.mark.django_db


def doctor_leaves(chain: ChainNode, clinic: Clinic) -> None:
    """A second doctor joins and leaves: the institution's key moves on."""
    leaves = make_doctor(clinic.institution, "Lee North")
    chain.settle()
    affiliations.affiliate_doctor(actor=clinic.manager, institution=clinic.institution, doctor=leaves.address)
    chain.settle()
    affiliations.leave_institution(actor=leaves, institution=clinic.institution)
    chain.settle()
    run_errands(clinic.manager)
    chain.settle()


def join_too(doctor: Actor, other: Clinic) -> None:
    """Affiliate the same doctor with another institution."""
    secret = invitations.invite_member(
        institution=other.institution, email=doctor.user.email, role=Membership.Role.DOCTOR, invited_by=None
    )
    bundle = vaults.open_with_password(doctor.user, PASSWORD)
    invitations.accept_invitation(secret=secret, user=doctor.user, bundle=bundle)
    affiliations.affiliate_doctor(actor=other.manager, institution=other.institution, doctor=doctor.address)


def findable(grantee: str) -> list[Envelope]:
    """The envelopes for somebody that can still be found, newest first."""
    return list(Envelope.objects.filter(recipient=grantee, deleted_at=None).order_by("-pk"))


def differences(chain: ChainNode, first: int, *, repair: bool = False) -> list[str]:
    """Return the findings of reconciling envelopes and grants, without notes."""
    chain.settle()
    settle_blobs()
    found = reconcile(checks(["R2", "R3"]), RunOptions(first), repair=repair)
    return [f"{one.check.id} {finding.what}" for one in found for finding in one.findings if not finding.note]


@pytest.mark.parametrize("kind", ["record", "selection"])
def test_what_is_granted_to_an_institution_is_sealed_to_its_next_key_when_a_doctor_leaves(
    chain: ChainNode, patient: Actor, clinic: Clinic, kind: str
) -> None:
    record = upload(patient).record
    chain.settle()
    if kind == "record":
        grant(patient, clinic.via, clinic.via, folders=(), records=(record,))
    else:
        select_all(patient, clinic.via, clinic.via)
    chain.settle()
    (former,) = findable(clinic.via)
    doctor_leaves(chain, clinic)
    assert run_errands(patient) == 1
    assert findable(clinic.via)[1:] == [former]  # until the chain has confirmed its successor
    chain.settle()
    (fresh,) = findable(clinic.via)
    assert fresh.key_digest == directory.public_key(clinic.via).digest != former.key_digest
    assert Blob.objects.get(pk=former.digest).data is None
    assert read(reopened(clinic.doctor), record)
    assert run_errands(patient) == 0
    assert Act.objects.by(patient.address).of_kind("GrantAccess").count() == 2


def test_the_version_after_an_institution_s_key_moved_has_a_data_key_of_its_own(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    chain.settle()
    grant(patient, clinic.via, clinic.via, folders=(), records=(record,))
    chain.settle()
    upload(patient, replaces=record, data=b"second")
    chain.settle()
    doctor_leaves(chain, clinic)
    run_errands(patient)
    chain.settle()
    upload(patient, replaces=record, data=b"third")
    chain.settle()
    first, second, third = Version.objects.filter(record=record).values_list("secret", flat=True)
    assert first == second != third
    run_errands(patient)
    chain.settle()
    assert read(reopened(clinic.doctor), record) == b"third"


def test_a_grant_sealed_anew_still_answers_its_request(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
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
    chain.settle()
    doctor = clinic.doctor.address
    grant(patient, doctor, clinic.via, folders=(), records=(record,), request=asked.id)
    chain.settle()
    Envelope.objects.filter(recipient=doctor, list__patient=patient.address).update(deleted_at=timezone.now())
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    grant(patient, other.doctor.address, other.via, folders=(), records=(record,))
    chain.settle()
    revocations.revoke_access(actor=patient, grantee=other.doctor.address, via=other.via, scope=record)
    upload(patient, replaces=record, data=b"second")  # a new key, to be sealed to who stays
    chain.settle()
    assert run_errands(patient) == 1
    chain.settle()
    row = Grant.objects.get(grantee=doctor)
    assert (row.serial, row.request) == (2, asked.id)
    assert read(clinic.doctor, record) == b"second"


def test_an_envelope_stays_while_another_grant_of_the_same_record_names_it(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    chain.settle()
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    join_too(clinic.doctor, other)
    chain.settle()
    for via in (clinic.via, other.via):
        grant(patient, clinic.doctor.address, via, folders=(), records=(record,))
        chain.settle()
    assert len(findable(clinic.doctor.address)) == 2
    grant(patient, clinic.doctor.address, clinic.via, folders=(), records=(record,))
    chain.settle()
    assert {row.list.digest for row in findable(clinic.doctor.address)} == set(
        Grant.objects.filter(grantee=clinic.doctor.address).values_list("envelopes", flat=True)
    )


@pytest.mark.parametrize("kind", ["folder", "record", "selection"])
def test_a_lost_envelope_is_found_and_sealed_anew_at_the_patient_s_next_opening(
    chain: ChainNode, patient: Actor, clinic: Clinic, kind: str
) -> None:
    first = Cursor.objects.get().applied + 1
    record, doctor = upload(patient).record, clinic.doctor.address
    chain.settle()
    if kind == "selection":
        select_all(patient, doctor, clinic.via)
    else:
        folders, records = ((1,), ()) if kind == "folder" else ((), (record,))
        grant(patient, doctor, clinic.via, folders=folders, records=records)
    assert differences(chain, first) == []
    (envelope,) = findable(doctor)
    Blob.objects.filter(pk=envelope.digest).update(data=None, state=Blob.State.DELETED)
    store().unpin(Cid.from_digest(envelope.digest))
    assert differences(chain, first) == ["R205 the bytes of its envelope are nowhere"]
    differences(chain, first, repair=True)
    assert differences(chain, first) == []
    run_errands(patient)
    assert differences(chain, first) == []
    assert read(reopened(clinic.doctor), record)
    assert len(findable(doctor)) == 1


@pytest.mark.parametrize("damage", ["row", "record", "stranger"])
def test_a_selection_that_lost_its_records_has_them_again(
    chain: ChainNode, patient: Actor, clinic: Clinic, damage: str
) -> None:
    first = Cursor.objects.get().applied + 1
    record, second = upload(patient).record, upload(patient, title="Sugar").record
    chain.settle()
    select_all(patient, clinic.doctor.address, clinic.via)
    later = upload(patient, title="Later").record
    assert differences(chain, first) == []
    row = Selection.objects.get()
    scope = row.selection
    if damage == "row":
        row.delete()
    elif damage == "record":
        row.records.filter(record=second).delete()
    else:
        row.records.create(record=later)
    assert differences(chain, first) == ["R209 its list of records is lost"]
    differences(chain, first, repair=True)
    assert run_errands(patient) == 1
    assert differences(chain, first) == []
    assert {one.record for one in SelectionRecord.objects.filter(selection=scope)} == {record, second}
    assert read(reopened(clinic.doctor), second)
    with pytest.raises(NotFound):
        read(reopened(clinic.doctor), later)
