"""Granting, reading, writing, revoking: by services, on a real chain."""

from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Errand
from chain.acts.messages import PreparedAct
from chain.indexer.reorg import rebuild_projections
from chain.models import Act
from records import access
from records.errors import AccessRefused, Conflict, InvalidInput, NotFound
from records.models import Blob, Envelope, Grant, GrantDraft, ViewLog
from records.services import (
    consent,
    documents,
    folders,
    grants,
    inbox,
    log,
    reading,
    rekeying,
    revocations,
    uploads,
)
from records.services.envelopes import SealedList, seal_each
from records.services.epochs import current_epoch
from records.services.sweeping import sweep_records
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import (
    FILE,
    IMAGING,
    LABORATORY,
    Clinic,
    grant,
    make_clinic,
    run_errands,
    upload,
)

pytestmark = pytest.mark.django_db


def read(actor: Actor, record: str, version: int | None = None) -> bytes:
    """The whole content."""
    opened = reading.open_content(actor=actor, record=record, version=version)
    return b"".join(opened.iterate(0, opened.size))


def test_a_granted_doctor_reads_and_the_patient_sees_it(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    assert consent.patients_of(actor=clinic.doctor) == []
    with pytest.raises(NotFound):
        read(clinic.doctor, record)
    chain.settle()
    (view,) = consent.patients_of(actor=clinic.doctor)
    assert (view.address, view.name, view.days_left) == (patient.address, "Ada Moss", 30)
    assert [scope.name for scope in view.scopes] == ["General"]
    (seen,) = documents.list_records(actor=clinic.doctor, patient=patient.address, via=clinic.via)
    assert (seen.title, seen.can_write) == ("Blood report", False)
    assert read(clinic.doctor, record) == FILE
    lines = log.access_history(actor=patient, patient=patient.address).lines
    viewed = next(line for line in lines if line.action == "viewed")
    assert (viewed.agent_name, viewed.via, viewed.title) == ("Dana Reed", clinic.via, "Blood report")


def test_revoking_is_obeyed_at_once_and_moves_the_folder(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    grant(patient, other.doctor.address, other.via)
    chain.settle()
    assert read(other.doctor, record) == FILE
    scope = f"0x{1:064x}"
    act = revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=scope)
    with pytest.raises(AccessRefused) as refused:
        read(clinic.doctor, record)
    assert (refused.value.patient, refused.value.via) == (patient.address, clinic.via)
    again = revocations.revoke_access(
        actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=scope
    )
    assert again == act
    assert current_epoch(patient.address, 1) == 1
    later = upload(patient, title="After").record
    chain.settle()
    act.refresh_from_db()
    assert act.state == "confirmed"
    states = {view.grantee: view.state for view in consent.grants_by(actor=patient)}
    assert states == {clinic.doctor.address: "revoked", other.doctor.address: "live"}
    assert read(other.doctor, later) == FILE
    assert read(other.doctor, record) == FILE
    gone = Envelope.objects.filter(recipient=clinic.doctor.address, list__scope=scope)
    assert gone.exists()
    assert not Blob.objects.filter(digest__in=gone.values("digest"), data__isnull=False).exists()


def test_a_grant_that_follows_a_revoke_under_way_keeps_its_envelopes(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    scope = f"0x{1:064x}"
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=scope)
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    assert read(clinic.doctor, record) == FILE
    before = list(Envelope.objects.order_by("pk").values()), list(Errand.objects.order_by("pk").values())
    with transaction.atomic():
        rebuild_projections()
    call_command("resync", stderr=StringIO())
    assert read(clinic.doctor, record) == FILE
    after = list(Envelope.objects.order_by("pk").values()), list(Errand.objects.order_by("pk").values())
    assert after == before


def test_two_revokes_at_once_move_the_folder_once(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    # The other click has taken epoch 1 when this one looks for the next; both saw that 0 is current.
    others, epochs = [True], iter([2, 1])
    monkeypatch.setattr(rekeying, "next_epoch", lambda *_: next(epochs))

    def seal_while_another_click_is_faster(*args: Any) -> SealedList:
        if others:
            others.clear()
            assert rekeying.rekey_folder(patient, 1) is not None
        return seal_each(*args)

    monkeypatch.setattr(rekeying, "seal_each", seal_while_another_click_is_faster)
    scope = f"0x{1:064x}"
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=scope)
    chain.settle()
    (act,) = Act.objects.by(patient.address).of_kind("RekeyFolder")
    assert act.state == "confirmed"


def test_a_proposal_confirmed_twice_at_once_gives_the_same_acts(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.settle()
    check = grants._check_draft
    others: list[list[Act]] = []

    def check_while_another_click_is_faster(draft: GrantDraft, acts: list[PreparedAct]) -> None:
        check(draft, acts)
        if not others:
            others.append([])
            others[0] = grants.grant_access(actor=patient, proposal=str(draft.pk))

    monkeypatch.setattr(grants, "_check_draft", check_while_another_click_is_faster)
    assert grant(patient, clinic.doctor.address, clinic.via) == others[0]


def test_writing_needs_the_permission(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    with pytest.raises(AccessRefused):
        upload(clinic.doctor, patient=patient.address, folder=1, via=clinic.via)
    with pytest.raises(AccessRefused):
        upload(clinic.doctor, patient=patient.address, replaces=record, via=clinic.via)
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    added = upload(clinic.doctor, patient=patient.address, folder=1, via=clinic.via, title="Added")
    assert added.state == "waiting"
    documents.modify_description(
        actor=clinic.doctor,
        record=record,
        title="Seen by Dana",
        kind=LABORATORY,
        service_date=None,
        via=clinic.via,
    )
    chain.settle()
    titles = {view.title for view in documents.list_records(actor=patient, patient=patient.address)}
    assert titles == {"Added", "Seen by Dana"}
    assert read(patient, added.record) == FILE
    assert read(patient, record, version=1) == FILE


def test_an_institutions_grant_serves_its_doctors(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    record = upload(patient).record
    grant(patient, clinic.via, clinic.via, permissions="write")
    chain.settle()
    assert read(clinic.doctor, record) == FILE
    added = upload(clinic.doctor, patient=patient.address, folder=1, via=clinic.via)
    chain.settle()
    assert documents.get_record(actor=patient, record=added.record).state == "confirmed"
    stranger = make_clinic(chain, "Jade Practice", "Omar Finch")
    with pytest.raises(NotFound):
        read(stranger.doctor, record)


def test_a_record_left_in_the_inbox_is_filed_or_refused(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    left = upload(clinic.doctor, patient=patient.address, via=clinic.via, title="Left").record
    unwanted = upload(clinic.doctor, patient=patient.address, via=clinic.via, title="Unwanted").record
    chain.settle()
    assert documents.count_inbox(patient.address) == 2
    waiting = documents.list_records(actor=patient, patient=patient.address, folder=0)
    assert {view.title for view in waiting} == {"Left", "Unwanted"}
    assert read(patient, left) == FILE
    with pytest.raises(AccessRefused):
        read(clinic.doctor, left)
    inbox.file_record(actor=patient, record=left, folder=1)
    assert inbox.refuse_record(actor=patient, record=unwanted) == inbox.refuse_record(
        actor=patient, record=unwanted
    )
    chain.settle()
    filed = documents.get_record(actor=patient, record=left)
    assert (filed.folder, filed.state, len(filed.versions)) == (1, "confirmed", 1)
    assert documents.get_record(actor=patient, record=unwanted).closed == "refused"
    assert read(patient, left) == FILE
    with pytest.raises(NotFound):
        documents.get_record(actor=clinic.doctor, record=left)


def test_a_single_record_is_shared_and_its_new_key_follows(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    shared = upload(patient).record
    other = upload(patient, title="Other").record
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via, folders=(), records=(shared,))
    chain.settle()
    (seen,) = documents.list_records(actor=clinic.doctor, patient=patient.address)
    assert seen.record == shared
    with pytest.raises((NotFound, AccessRefused)):
        read(clinic.doctor, other)
    # Another grant of the same folder ends: the next version gets another data key.
    second = make_clinic(chain, "Jade Practice", "Omar Finch")
    grant(patient, second.doctor.address, second.via)
    chain.settle()
    revocations.revoke_access(
        actor=patient, grantee=second.doctor.address, via=second.via, scope=f"0x{1:064x}"
    )
    upload(patient, data=b"new" * 700, replaces=shared)
    chain.settle()
    assert not documents.get_record(actor=clinic.doctor, record=shared).readable
    run_errands(patient)
    chain.settle()
    assert read(clinic.doctor, shared) == b"new" * 700
    assert read(clinic.doctor, shared, version=1) == FILE


def test_a_selection_is_narrowed_by_kind_and_period(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    wanted = upload(patient, title="Wanted", day=date(2026, 2, 1)).record
    upload(patient, title="Too old", day=date(2020, 2, 1))
    upload(patient, title="Another kind", kind=IMAGING)
    chain.settle()
    proposal = grants.propose_grant(
        actor=patient,
        grantee=clinic.doctor.address,
        via=clinic.via,
        selection=True,
        kinds=[LABORATORY],
        since=date(2026, 1, 1),
        expires_at=timezone.now() + timedelta(days=3),
    )
    assert [view.title for view in proposal.records] == ["Wanted"]
    grants.grant_access(actor=patient, proposal=proposal.id)
    chain.settle()
    seen = documents.list_records(actor=clinic.doctor, patient=patient.address)
    assert [view.record for view in seen] == [wanted]
    assert read(clinic.doctor, wanted) == FILE


def test_confirming_twice_grants_once(patient: Actor, clinic: Clinic) -> None:
    proposal = grants.propose_grant(
        actor=patient,
        grantee=clinic.doctor.address,
        via=clinic.via,
        folders=[1],
        expires_at=timezone.now() + timedelta(days=3),
    )
    (words,) = proposal.acts
    assert words.typed_data["message"]["grantee"] == clinic.doctor.address
    first = grants.grant_access(actor=patient, proposal=proposal)
    assert grants.grant_access(actor=patient, proposal=proposal.id) == first
    with pytest.raises(NotFound):
        grants.grant_access(actor=make_patient("Eve Hill"), proposal=proposal.id)


def test_a_proposal_is_void_after_the_folder_moved(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    grant(patient, other.doctor.address, other.via)
    proposal = grants.propose_grant(
        actor=patient,
        grantee=clinic.doctor.address,
        via=clinic.via,
        folders=[1],
        expires_at=timezone.now() + timedelta(days=3),
    )
    revocations.revoke_access(actor=patient, grantee=other.doctor.address, via=other.via, scope=f"0x{1:064x}")
    with pytest.raises(Conflict):
        grants.grant_access(actor=patient, proposal=proposal.id)


def test_an_expired_grant_ends_and_its_folder_moves_at_the_next_opening(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    assert read(clinic.doctor, record) == FILE
    Grant.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    with pytest.raises(AccessRefused):
        read(clinic.doctor, record)
    assert sweep_records() == 1
    assert sweep_records() == 0
    assert Errand.objects.filter(account=patient.address, kind="rekey-folder", state="open").count() == 1
    run_errands(patient)
    assert current_epoch(patient.address, 1) == 1
    assert not Errand.objects.filter(kind="rekey-folder", state="open").exists()


def test_a_doctor_gives_up_and_cannot_come_back(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    scope = f"0x{1:064x}"
    act = revocations.give_up_access(
        actor=clinic.doctor, patient=patient.address, via=clinic.via, scope=scope
    )
    assert act == revocations.give_up_access(
        actor=clinic.doctor, patient=patient.address, via=clinic.via, scope=scope
    )
    with pytest.raises(AccessRefused):
        read(clinic.doctor, record)
    chain.settle()
    assert [view.state for view in consent.grants_by(actor=patient)] == ["given up"]
    run_errands(patient)
    assert current_epoch(patient.address, 1) == 1


def test_the_inbox_cannot_be_shared(patient: Actor, clinic: Clinic) -> None:
    with pytest.raises(InvalidInput):
        grant(patient, clinic.doctor.address, clinic.via, folders=(0,))


def test_a_moved_record_leaves_the_doctors_sight_and_its_name_is_shared(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    heart = folders.create_folder(actor=patient, name="Heart")
    with pytest.raises(InvalidInput):
        folders.create_folder(actor=patient, name="heart")
    record = upload(patient, folder=heart).record
    grant(patient, clinic.doctor.address, clinic.via, folders=(heart,))
    chain.settle()
    (seen,) = documents.list_records(actor=clinic.doctor, patient=patient.address)
    assert seen.folder_name == "Heart"
    documents.move_record(actor=patient, record=record, folder=1)
    assert not access.can_read(clinic.doctor, record)
    chain.settle()
    assert not access.can_read(clinic.doctor, record)
    moved = documents.get_record(actor=patient, record=record)
    assert (moved.folder, len(moved.versions)) == (1, 1)
    assert read(patient, record) == FILE


def test_views_are_logged_for_the_patient_alone(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    read(patient, record)
    assert not ViewLog.objects.exists()
    read(clinic.doctor, record)
    assert ViewLog.objects.filter(viewer=clinic.doctor.address, what="content").count() == 1
    with pytest.raises(NotFound):
        log.access_history(actor=clinic.doctor, patient=patient.address)


def test_an_upload_revoked_on_its_way_is_refused_and_leaves_no_bytes(
    chain: ChainNode, patient: Actor, clinic: Clinic, store_folder: Path
) -> None:
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    described = uploads.describe_upload(
        actor=clinic.doctor,
        patient=patient.address,
        title="Late",
        kind=LABORATORY,
        service_date=None,
        folder=1,
        via=clinic.via,
        file_name="late.pdf",
        size=len(FILE),
    )
    revocations.revoke_access(
        actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=f"0x{1:064x}"
    )
    with pytest.raises(AccessRefused):
        uploads.receive_upload(
            actor=clinic.doctor, upload_id=described.id, stream=iter([FILE]), length=len(FILE)
        )
    assert [path for path in store_folder.rglob("*") if path.is_file()] == []


def test_a_record_never_granted_is_unknown_to_who_held_another(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    granted = upload(patient).record
    other = upload(patient, folder=folders.create_folder(actor=patient, name="Heart")).record
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    revocations.revoke_access(
        actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=f"0x{1:064x}"
    )
    with pytest.raises(AccessRefused):
        documents.get_record(actor=clinic.doctor, record=granted)
    with pytest.raises(NotFound):
        documents.get_record(actor=clinic.doctor, record=other)
