"""Envelopes, against the grants that they open."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Errand
from chain.contract.slots import folder_scope
from chain.models import Event
from records.crypto.envelopes import Purpose
from records.models import (
    Blob,
    Envelope,
    EnvelopeList,
    FolderState,
    Grant,
    QueuedKey,
    Rekey,
    Version,
)
from records.services.envelopes import ListAbout, keep_list, seal_list
from records.storage import Cid
from tests.records.reconcile.story import ELSEWHERE, OTHER, Story, file_of


def granted(story: Story, grantee: str) -> Grant:
    """The patient's grant that stands for somebody."""
    return Grant.objects.get(patient=story.patient.address, grantee=grantee, ended="")


def envelope_of(grant: Grant) -> Envelope:
    """The grantee's envelope that can still be found: folders have a newer one since they were moved."""
    found = Envelope.objects.filter(list__scope=grant.scope, recipient=grant.grantee, deleted_at=None)
    return found.latest("list__epoch")


def test_a_list_whose_bytes_are_nowhere_is_written_again(story: Story) -> None:
    digest = granted(story, story.clinic.via).envelopes
    Blob.objects.filter(pk=digest).delete()
    file_of(Cid.from_digest(digest)).unlink()
    assert story.the_one("R201").what == "its bytes are nowhere"
    story.mended("R201")
    assert Blob.objects.get(pk=digest).data is not None


def test_an_envelope_whose_row_is_missing(story: Story) -> None:
    grant = granted(story, story.clinic.via)
    envelope_of(grant).delete()
    assert set(story.found()) == {"R201", "R205"}
    done = story.found(repair=True)
    assert set(done) == {"R201"}
    assert story.found() == {}
    assert envelope_of(grant).list.digest == grant.envelopes


def test_a_list_of_other_bytes(story: Story) -> None:
    Blob.objects.filter(pk=granted(story, story.clinic.via).envelopes).update(data=b"no list")
    assert story.the_one("R201").what == "its bytes are no list of envelopes"


def test_an_envelope_left_for_whose_grant_has_ended_is_erased(story: Story) -> None:
    grant = granted(story, story.clinic.via)
    envelope = envelope_of(grant)
    Grant.objects.filter(pk=grant.pk).update(expiry=timezone.now() - timedelta(minutes=6))
    found = story.found()
    assert set(found) == {"R202", "R307"}  # the row's expiry is not the contract's either
    assert found["R202"].findings[0].subject == f"envelope {envelope.pk}"
    story.found(repair=True)
    assert set(story.found()) == {"R307"}
    envelope.refresh_from_db()
    assert envelope.deleted_at is not None
    assert Blob.objects.get(pk=envelope.digest).data is None


def test_a_grant_that_ran_out_just_now_waits_for_the_sweep(story: Story) -> None:
    grant = granted(story, story.clinic.via)
    Grant.objects.filter(pk=grant.pk).update(expiry=timezone.now() - timedelta(minutes=1))
    assert set(story.found()) == {"R307"}


def test_bytes_left_of_an_erased_envelope(story: Story) -> None:
    envelope = Envelope.objects.exclude(deleted_at=None).first()
    assert envelope is not None
    Blob.objects.filter(pk=envelope.digest).update(state=Blob.State.NEW, data=b"an envelope")
    assert story.the_one("R203").subject == f"envelope {envelope.pk}"
    story.mended("R203")
    assert Blob.objects.get(pk=envelope.digest).data is None


def test_a_queued_key_of_no_act(story: Story) -> None:
    row = QueuedKey.objects.create(
        record=OTHER, version=1, recipient=ELSEWHERE, author=ELSEWHERE, patient=ELSEWHERE, epoch=0, sealed=b""
    )
    assert story.the_one("R204").subject == f"queued key {row.pk}"


@pytest.mark.parametrize("kind", ["folder", "record"])
def test_a_grant_whose_envelope_is_lost_is_sealed_anew_by_its_patient(story: Story, kind: str) -> None:
    grant = granted(story, story.clinic.doctor.address if kind == "folder" else story.clinic.via)
    envelope = envelope_of(grant)
    Blob.objects.filter(pk=envelope.digest).delete()
    file_of(Cid.from_digest(envelope.digest)).unlink()
    assert story.the_one("R205").subject == f"grant {grant.pk}"
    story.mended("R205")
    asked = Errand.objects.get(account=story.patient.address, state="open")
    assert asked.kind == ("rekey-folder" if kind == "folder" else "renew-record-grants")
    assert story.the_one("R205").note


def test_a_grant_sealed_to_a_former_key(story: Story) -> None:
    grant = granted(story, story.clinic.via)
    Envelope.objects.filter(pk=envelope_of(grant).pk).update(key_digest=OTHER)
    found = story.found()
    assert found["R205"].findings[0].what == "is sealed to a former key of its grantee"
    assert set(found) == {"R201", "R205"}


def test_a_folder_whose_secret_went_to_somebody_else(story: Story) -> None:
    grant = granted(story, story.clinic.doctor.address)
    envelope = envelope_of(grant)
    Envelope.objects.create(
        list=envelope.list, recipient=ELSEWHERE, digest=OTHER, key_digest=OTHER, deleted_at=timezone.now()
    )
    story.the_one("R206")
    story.mended("R206")
    assert Errand.objects.get(state="open").kind == "rekey-folder"


def test_a_key_that_nobody_is_asked_to_wrap(story: Story) -> None:
    sealed = Version.objects.get(record=story.letter, version=1)
    Version.objects.filter(record=story.letter, version=2).update(secret=sealed.secret)
    found = story.found()
    assert set(found) == {"R207", "R309"}
    story.found(repair=True)
    assert set(story.found()) == {"R309"}
    assert Errand.objects.get(state="open").kind == "wrap-record"


def test_a_key_sealed_to_its_patient_that_is_lost(story: Story) -> None:
    sealed = Version.objects.get(record=story.letter, version=1)
    envelope = Envelope.objects.get(list__digest=sealed.secret)
    QueuedKey.objects.filter(record=story.letter).delete()
    Blob.objects.filter(pk=envelope.digest).delete()
    file_of(Cid.from_digest(envelope.digest)).unlink()
    assert story.the_one("R208").subject == f"version {sealed.pk}"


def test_a_list_that_only_the_chain_and_the_store_know_is_read(story: Story) -> None:
    """As after a restore of the database: who holds the folder's secret is found by the chain's events."""
    grant = granted(story, story.clinic.doctor.address)
    EnvelopeList.objects.filter(patient=story.patient.address).delete()
    found = story.found()
    assert found["R210"].left == len(found["R210"].findings) >= 3
    story.found(repair=True)
    assert story.found() == {}
    assert envelope_of(grant).recipient == story.clinic.doctor.address


def test_a_folder_whose_secret_a_former_grantee_has_is_found_by_the_chain_alone(story: Story) -> None:
    """The move after the revoke is lost, and so are all rows that told who was sealed the secret."""
    scope = folder_scope(1)
    Event.objects.named("FolderRekeyed").authored_by(story.patient.address).delete()
    Rekey.objects.filter(patient=story.patient.address).delete()
    FolderState.objects.filter(patient=story.patient.address, folder=1).update(epoch=0)
    EnvelopeList.objects.filter(patient=story.patient.address, scope=scope).delete()
    found = story.found()["R206"]
    assert [finding.what for finding in found.findings] == ["is to be moved on, and nobody is asked"]
    story.found(repair=True)
    assert Errand.objects.filter(account=story.patient.address, kind="rekey-folder", state="open").exists()


def test_what_is_held_back_for_an_act_on_the_chain_is_let_go(story: Story) -> None:
    grant = granted(story, story.clinic.via)
    files = (grant.envelopes, envelope_of(grant).digest)
    Blob.objects.filter(pk__in=files).update(state=Blob.State.HELD)
    assert story.the_one("R211").what == "is held back, and its act is on the chain"
    story.mended("R211")
    assert Blob.objects.filter(pk__in=files, state=Blob.State.NEW).count() == 2


def test_what_is_held_back_for_no_act_is_erased(story: Story) -> None:
    patient = story.patient
    about = ListAbout(Purpose.RECORD, patient.address, patient.address, story.record)
    digest = keep_list(seal_list(patient.origin, about, b"payload", [patient.own_public_key]))
    assert story.the_one("R211").what.startswith("is held back for an act that is not there")
    story.mended("R211")
    assert Blob.objects.get(pk=digest).data is None
    assert not Envelope.objects.filter(list__digest=digest, deleted_at=None).exists()
