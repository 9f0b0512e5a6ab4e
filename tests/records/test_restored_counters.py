"""Counters that a restored database puts back give nothing a second time."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import Model
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from accounts.actor import Actor
from accounts.models import Account, SealedKey
from accounts.services import affiliations
from chain.models import Act, Incarnation
from chain.restore import incarnation
from records.content import staging
from records.crypto.mdr1 import CHUNK_BYTES
from records.errors import Conflict, StartOver
from records.models import FolderState, PatientFolder, Upload
from records.services import epochs, folders, revocations, uploads
from records.services.after_restore import settle_restore
from records.services.epochs import EPOCHS_AHEAD, current_epoch, hand_out, next_epoch
from tests.chain_node import ChainNode
from tests.people import make_doctor
from tests.records.conftest import Clinic, grant, upload
from tests.records.test_sharing import read
from tests.records.test_upload_parts import BIG, PART, begin, content, finish, send

SOMEBODY = "0x" + "Ab" * 20


class Backup:
    """Rows of some tables, as a backup of the database has them."""

    def __init__(self, *tables: type[Model]) -> None:
        self._rows = [(table, list(table._default_manager.values())) for table in tables]

    def restore(self) -> None:
        """Put them back. What the machine has seen stays, and all programs start anew."""
        for table, rows in self._rows:
            table._default_manager.all().delete()
            table._default_manager.bulk_create(table(**row) for row in rows)
        incarnation._memory.clear()


@pytest.mark.django_db(transaction=True)
@budget(max_examples=40, deadline=None)
@given(steps=st.lists(st.sampled_from(["move", "move", "confirm", "back up", "restore"]), max_size=30))
def test_an_epoch_is_handed_out_once_whatever_is_restored(steps: list[str]) -> None:
    for table in (PatientFolder, FolderState, Incarnation):
        table.objects.all().delete()
    handed, confirmed, backup = [], 0, Backup(PatientFolder, Incarnation)
    for step in steps:
        if step == "move":
            handed.append(next_epoch(SOMEBODY, 1))
            hand_out(SOMEBODY, 1, handed[-1], moves=True)
        elif step == "confirm" and handed:
            confirmed = max(confirmed, handed[-1])
            FolderState.objects.update_or_create(patient=SOMEBODY, folder=1, defaults={"epoch": confirmed})
        elif step == "back up":
            backup = Backup(PatientFolder, Incarnation)
        elif step == "restore":
            backup.restore()  # the chain is read before anybody moves a folder
    assert len(handed) == len(set(handed))


@pytest.mark.django_db(transaction=True)
def test_no_more_epochs_are_handed_out_than_a_restore_skips() -> None:
    for _ in range(EPOCHS_AHEAD + 1):
        hand_out(SOMEBODY, 1, next_epoch(SOMEBODY, 1), moves=True)
    with pytest.raises(Conflict, match="follows by itself"):
        next_epoch(SOMEBODY, 1)
    FolderState.objects.create(patient=SOMEBODY, folder=1, epoch=10)
    assert next_epoch(SOMEBODY, 1) == EPOCHS_AHEAD + 2
    PatientFolder.objects.all().delete()
    incarnation.begin_restored()
    assert next_epoch(SOMEBODY, 1) > 10 + EPOCHS_AHEAD + 1
    hand_out(SOMEBODY, 1, current_epoch(SOMEBODY, 1))  # a grant of the epoch in force moves nothing
    assert next_epoch(SOMEBODY, 1) > 10 + EPOCHS_AHEAD


@pytest.mark.django_db
def test_a_folder_goes_on_after_a_restore_and_who_left_reads_nothing_new(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    incarnation.begin_restored()
    assert settle_restore()
    scope = f"0x{1:064x}"
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=scope)
    chain.settle()
    (move,) = Act.objects.of_kind("RekeyFolder")
    assert (move.state, move.number) == ("confirmed", EPOCHS_AHEAD + 2)
    grant(patient, clinic.doctor.address, clinic.via)
    later = upload(patient, title="Later").record
    chain.settle()
    assert read(clinic.doctor, record)
    assert read(clinic.doctor, later)
    assert {act.state for act in Act.objects.all()} == {"confirmed"}


@pytest.mark.django_db
def test_a_new_folder_takes_no_number_that_a_lost_one_may_have(patient: Actor) -> None:
    first = folders.create_folder(actor=patient, name="Heart")
    backup = Backup(PatientFolder)
    lost = folders.create_folder(actor=patient, name="Eyes")
    backup.restore()
    Act.objects.filter(kind="NameFolder", number=1, fields__folder=lost).delete()
    incarnation.begin_restored()
    made = [folders.create_folder(actor=patient, name=name) for name in ("Teeth", "Skin")]
    assert (first, lost) == (2, 3)
    assert made == [first + 1 + folders.FOLDERS_SKIPPED, first + 2 + folders.FOLDERS_SKIPPED]


@pytest.fixture
def _small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "UPLOAD_PART_BYTES", PART)
    monkeypatch.setattr(settings, "UPLOAD_STAGING_PATH", tmp_path / "staging")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_small_parts")
def test_a_restored_upload_starts_over(patient: Actor) -> None:
    described = begin(patient, parts=1)
    backup = Backup(Upload, Incarnation)
    send(patient, described, 1)
    backup.restore()
    view = uploads.get_upload(actor=patient, upload_id=described)
    assert (view.next_part, view.digest) == (0, "00" * 32)
    with pytest.raises(StartOver, match="begins again"):
        send(patient, described, 1)
    with pytest.raises(Conflict, match="Part 0 comes next"):
        finish(patient, described)
    assert staging().names() == []
    assert len(BIG) > 3 * CHUNK_BYTES
    for part in range(4):
        send(patient, described, part)
    assert content(patient, finish(patient, described).record) == BIG


@pytest.mark.django_db
def test_an_institution_skips_versions_of_its_key_that_may_be_with_somebody(
    chain: ChainNode, clinic: Clinic
) -> None:
    leaves = make_doctor(clinic.institution, "Lee North")
    chain.settle()
    affiliations.affiliate_doctor(actor=clinic.manager, institution=clinic.institution, doctor=leaves.address)
    chain.settle()
    incarnation.begin_restored()
    affiliations.disaffiliate_doctor(
        actor=clinic.manager, institution=clinic.institution, doctor=leaves.address
    )
    chain.settle()
    account = Account.objects.get(address=clinic.via)
    assert account.key_version > 2
    newest = SealedKey.objects.filter(recipient=clinic.doctor.address, version=account.key_version)
    assert newest.exists()
    assert Act.objects.filter(kind="PublishKey", number=account.key_version, state="confirmed").exists()


def test_the_skip_is_wider_than_what_is_handed_out() -> None:
    assert epochs.EPOCHS_AHEAD * epochs.LIVES_APART < 0xFFFF
