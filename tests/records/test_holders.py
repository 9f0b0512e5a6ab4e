"""The chain says who holds a folder's secret, not this database's memory."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Account, Errand
from chain.contract.slots import folder_scope
from chain.models import Event
from records.content import settle_blobs, store
from records.crypto.envelopes import EnvelopeEntry, Purpose
from records.models import Envelope, EnvelopeList, FolderState, Grant, Rekey
from records.services import consent, rekeying, revocations
from records.services.envelopes import ListAbout
from records.services.epochs import current_epoch
from records.services.holders import has_leaver, holders_of
from records.services.list_index import read_lists
from records.services.sweeping import sweep_records
from records.storage import Cid
from tests.chain_node import ChainNode
from tests.records import foreign
from tests.records.backup import Backup
from tests.records.conftest import Clinic, grant, make_clinic, run_errands, upload
from tests.records.elsewhere import grant_elsewhere, move_elsewhere
from tests.records.test_erasing import folder_payload
from tests.records.test_sharing import read

pytestmark = pytest.mark.django_db

SCOPE = folder_scope(1)
NOWHERE = "0x" + "ab" * 32


def moves_of(patient: Actor) -> int:
    """Return how often the patient's folder was moved on, by the events of the chain."""
    return Event.objects.named("FolderRekeyed").authored_by(patient.address).count()


def revoke(patient: Actor, clinic: Clinic) -> None:
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)


def work() -> None:
    """Run a minute's work of the worker."""
    for task in (settle_blobs, read_lists, sweep_records, settle_blobs):
        task()


def list_elsewhere(patient: Actor, clinic: Clinic) -> tuple[str, EnvelopeEntry]:
    """A list that another portal has sealed to patient and doctor, in the store; and the doctor's entry."""
    about = ListAbout(Purpose.FOLDER, patient.address, patient.address, SCOPE)
    keys = (patient.own_public_key, clinic.doctor.own_public_key)
    own, theirs = (foreign.entry(patient, about, key, folder_payload(patient)) for key in keys)
    return foreign.put_list([own, theirs]), theirs


def test_a_grant_that_the_backup_lacks_is_taken_back_with_its_secret(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    chain.settle()
    settle_blobs()
    backup = Backup()
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    settle_blobs()
    assert read(clinic.doctor, record)
    envelope = Envelope.objects.get(recipient=clinic.doctor.address).digest
    assert store().has(Cid.from_digest(envelope))
    backup.restore()
    assert not Envelope.objects.filter(recipient=clinic.doctor.address).exists()
    chain.sync()
    revoke(patient, clinic)
    chain.settle()
    assert (moves_of(patient), current_epoch(patient.address, 1)) == (1, 1)
    work()
    assert not store().has(Cid.from_digest(envelope))
    assert not holders_of(patient.address, 1).keys


def test_a_grant_that_ran_out_after_the_restore_moves_the_folder_too(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    upload(patient)
    chain.settle()
    backup = Backup()
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    settle_blobs()
    for cid in list(store().kept()):
        store().unpin(cid)
    backup.restore()
    chain.sync()
    Grant.objects.update(expiry=timezone.now() - timedelta(minutes=1))
    work()
    assert Errand.objects.filter(account=patient.address, kind="rekey-folder", state="open").exists()
    run_errands(patient)
    chain.settle()
    assert moves_of(patient) == 1
    work()
    assert not Errand.objects.filter(account=patient.address, kind="rekey-folder", state="open").exists()


@pytest.mark.parametrize("read_before", [False, True], ids=["list unread", "list read"])
def test_a_grant_of_another_portal_is_taken_back_with_its_secret(
    chain: ChainNode, patient: Actor, clinic: Clinic, *, read_before: bool
) -> None:
    upload(patient)
    chain.settle()
    listed, _ = list_elsewhere(patient, clinic)
    grant_elsewhere(chain, patient, clinic.doctor.address, clinic.via, envelopes=listed)
    if read_before:
        work()
        assert EnvelopeList.objects.get(digest=listed).sealed_here is False
    revoke(patient, clinic)
    chain.settle()
    assert moves_of(patient) == 1


def test_the_envelope_of_another_portal_is_used_no_more_and_stays_its_own(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    upload(patient)
    chain.settle()
    listed, theirs = list_elsewhere(patient, clinic)
    grant_elsewhere(chain, patient, clinic.doctor.address, clinic.via, envelopes=listed)
    revoke(patient, clinic)
    chain.settle()
    work()
    row = Envelope.objects.get(list__digest=listed, recipient=clinic.doctor.address)
    assert row.deleted_at is not None
    assert store().has(Cid(theirs.envelope))


def test_whom_a_list_nobody_can_read_names_may_hold_the_secret(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """Another portal has moved the folder, and its list is nowhere: the next that leaves may stand in it."""
    upload(patient)
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    move_elsewhere(chain, patient, envelopes=NOWHERE, to=1)
    work()
    assert not has_leaver(patient.address, 1)
    revoke(patient, clinic)
    chain.settle()
    assert FolderState.objects.get(patient=patient.address, folder=1).epoch == 2
    assert moves_of(patient) == 2


def test_a_folder_stays_where_all_who_hold_it_are_known_and_stay(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    upload(patient)
    chain.settle()
    listed, _ = list_elsewhere(patient, clinic)
    grant_elsewhere(chain, patient, clinic.doctor.address, clinic.via, envelopes=listed)
    work()
    assert rekeying.rekey_folder(patient, 1) is None
    # One who never got the secret of this epoch leaves: somebody's grant that ended before it began.
    grant(patient, other.doctor.address, other.via)
    chain.settle()
    revoke(patient, other)
    chain.settle()
    assert moves_of(patient) == 1
    work()
    assert rekeying.rekey_folder(patient, 1) is None


def test_a_grant_of_another_portal_at_an_epoch_that_has_passed_is_sealed_anew(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """It comes to the chain while this portal's move waits: the move's list has no envelope for it."""
    record = upload(patient).record
    chain.settle()
    move_elsewhere(chain, patient, envelopes=NOWHERE, to=1)
    assert rekeying.rekey_folder(patient, 1) is not None
    grant_elsewhere(chain, patient, clinic.doctor.address, clinic.via, envelopes=NOWHERE, epoch=1)
    assert (moves_of(patient), Errand.objects.filter(account=patient.address, state="open").count()) == (2, 1)
    run_errands(patient)
    chain.settle()
    assert read(clinic.doctor, record)


@pytest.mark.parametrize("what", ["folder", "record"])
def test_what_was_held_back_and_lost_with_the_database_is_sealed_anew(
    chain: ChainNode, patient: Actor, clinic: Clinic, what: str
) -> None:
    """The grant is under way when the database is lost, and its list was nowhere else."""
    record = upload(patient).record
    chain.settle()
    backup = Backup()
    places = {"folders": ()} | {"records": (record,)} if what == "record" else {"folders": (1,)}
    grant(patient, clinic.doctor.address, clinic.via, **places)
    chain.relay()
    backup.restore()
    chain.settle()
    assert Grant.objects.filter(patient=patient.address, ended="").count() == 1
    work()
    run_errands(patient)
    chain.settle()
    assert read(clinic.doctor, record)


def test_who_holds_it_does_not_follow_from_the_rows_alone(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    EnvelopeList.objects.all().delete()
    holders = holders_of(patient.address, 1)
    assert holders.grantees == {clinic.doctor.address}
    assert holders.unread == set(Grant.objects.values_list("envelopes", flat=True))
    assert not Rekey.objects.exists()
    settle_blobs()
    work()
    assert {who for who, _ in holders_of(patient.address, 1).keys} == {clinic.doctor.address}


def test_a_doctor_is_shown_what_a_patient_of_another_portal_grants(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    upload(patient)
    chain.settle()
    listed, _ = list_elsewhere(patient, clinic)
    grant_elsewhere(chain, patient, clinic.doctor.address, clinic.via, envelopes=listed)
    Account.objects.filter(address=patient.address).update(address="0xKnown elsewhere alone")
    assert consent.patients_of(actor=clinic.doctor) == []
    work()
    assert [view.address for view in consent.patients_of(actor=clinic.doctor)] == [patient.address]
    assert not Errand.objects.filter(account=patient.address, kind="rekey-folder").exists()


def test_no_move_waits_for_a_list_that_has_not_arrived(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another portal has granted the folder to somebody who stays, and its node does not answer."""
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    grant_elsewhere(chain, patient, other.doctor.address, other.via, envelopes=NOWHERE)
    monkeypatch.setattr(settings, "IPFS_PIN_API_URLS", ["http://127.0.0.1:9"])
    revoke(patient, clinic)
    assert current_epoch(patient.address, 1) == 1
    chain.settle()
    assert moves_of(patient) == 1
    assert read(other.doctor, record)


def test_an_envelope_that_another_portal_has_replaced_goes(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """It may be sealed to a key that somebody kept who has left. The new list is read after its grant."""
    record = upload(patient).record
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via, folders=(), records=(record,))
    chain.settle()
    settle_blobs()
    old = Envelope.objects.get(recipient=clinic.doctor.address)
    about = ListAbout(Purpose.RECORD, patient.address, patient.address, record)
    entries = [
        foreign.entry(patient, about, key, b"sealed elsewhere")
        for key in (patient.own_public_key, clinic.doctor.own_public_key)
    ]
    listed = foreign.put_list(entries)
    grant_elsewhere(chain, patient, clinic.doctor.address, clinic.via, envelopes=listed, record=record)
    assert store().has(Cid.from_digest(old.digest))
    work()
    settle_blobs()
    assert not store().has(Cid.from_digest(old.digest))
    new = Envelope.objects.get(list__digest=listed, recipient=clinic.doctor.address)
    assert new.deleted_at is None
