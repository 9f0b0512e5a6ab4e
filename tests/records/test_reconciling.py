"""Reconciling records, envelopes and accounts: every difference made for real, seen, and mended.

One story is told for all tests; what a test changes of it is undone.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import Account, Admission, Affiliation, Errand, PublishedKey, SealedKey, Vault
from chain.models import Act, ActState, Event
from records.content import store
from records.models import (
    Blob,
    BlockedSender,
    Envelope,
    FolderState,
    Grant,
    QueuedKey,
    Record,
    Rekey,
    Request,
    Version,
)
from records.storage import Cid
from tests.chain_node import ChainNode, read_from_head
from tests.records.reconciled import Kept, Story, tell_story

ELSEWHERE = "0x" + "1" * 40
OTHER = "0x" + "22" * 32


_kept: list[Kept] = []


@pytest.fixture
def story(
    chain_node: ChainNode, db: None, store_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Story:
    """The story; what a test does to it is gone in the next."""
    del db
    if not _kept:
        read_from_head()
        told = tell_story(chain_node)
        _kept.append(Kept(told, store_folder, tmp_path_factory.mktemp("kept") / "store"))
        return told
    return _kept[0].restore(store_folder)


def version_of(record: str) -> Version:
    """The newest version."""
    return Version.objects.filter(record=record).latest("version")


def content_of(record: str) -> Cid:
    """The newest version's content."""
    version = version_of(record)
    return Cid.from_digest(version.content, dag_pb=bool(version.flags & 1))


def file_of(cid: Cid) -> Path:
    """Where the local store has it."""
    return settings.STORE_PATH / "objects" / cid.digest[:1].hex() / str(cid)


def test_what_agrees_gives_no_finding(story: Story) -> None:
    assert story.found(deep=True) == {}
    assert set(Event.objects.values_list("name", flat=True)) == {
        "InstitutionAdmitted",
        "DoctorAffiliated",
        "KeyPublished",
        "RecordAdded",
        "RecordModified",
        "AccessRequested",
        "AccessGranted",
        "AccessRevoked",
        "FolderRekeyed",
    }


# --- files -------------------------------------------------------------------------------------------------


def test_a_content_that_the_store_lost(story: Story) -> None:
    cid = content_of(story.record)
    file_of(cid).unlink()
    finding = story.the_one("R101")
    assert finding.subject == f"content {cid}"
    assert finding.what.startswith(f"is not in the store (version 1 of {story.record})")
    assert finding.repair is None  # there is no other place to look


def test_a_content_that_was_cut(story: Story) -> None:
    path = file_of(content_of(story.second))
    path.write_bytes(path.read_bytes()[:-40])
    assert story.the_one("R101").what.startswith("has a size that no encrypted file has")


def test_a_content_with_a_flipped_bit_is_found_by_reading_it(story: Story) -> None:
    path = file_of(content_of(story.record))
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert story.found() == {}
    assert story.the_one("R101", deep=True).what.startswith("has other bytes than its CID says")


def test_the_content_of_an_act_that_waits(story: Story) -> None:
    act = Act.objects.get(kind="NewRecord", slot=f"record:{story.second}")
    Version.objects.filter(record=story.second).delete()
    Record.objects.filter(pk=story.second).delete()
    Act.objects.filter(pk=act.pk).update(state=ActState.WAITING, event=None)
    file_of(content_of_act(act)).unlink()
    (finding,) = story.found()["R101"].findings
    assert finding.what == f"is not in the store (act {act.pk})"


def content_of_act(act: Act) -> Cid:
    """The content that an act registers."""
    return Cid.from_digest(act.fields["content"])


def test_a_description_that_left_the_database_is_copied_back(story: Story) -> None:
    digest = version_of(story.record).description
    Blob.objects.filter(pk=digest).delete()
    finding = story.the_one("R102")
    assert finding.subject == f"description {Cid.from_digest(digest)}"
    story.mended("R102")
    assert Blob.objects.get(pk=digest).data is not None


def test_a_description_that_is_nowhere(story: Story) -> None:
    digest = version_of(story.record).description
    Blob.objects.filter(pk=digest).delete()
    file_of(Cid.from_digest(digest)).unlink()
    assert story.the_one("R102").what.startswith("is nowhere")


def test_a_description_that_was_erased(story: Story) -> None:
    digest = version_of(story.record).description
    Blob.objects.filter(pk=digest).update(state=Blob.State.DELETED, data=None)
    file_of(Cid.from_digest(digest)).unlink()
    assert story.the_one("R102").what.startswith("was erased")


def test_a_small_ciphertext_that_the_store_lost_is_put_there_again(story: Story) -> None:
    digest = version_of(story.record).description
    file_of(Cid.from_digest(digest)).unlink()
    assert story.the_one("R103").what == "is marked as stored, and the store does not keep it"
    story.mended("R103")
    assert store().has(Cid.from_digest(digest))


def test_a_small_ciphertext_that_was_erased_here_and_not_in_the_store(story: Story) -> None:
    cid = store().put([b"an envelope of old"]).cid
    Blob.objects.create(digest=cid.hex, state=Blob.State.DELETED)
    story.the_one("R103")
    story.mended("R103")
    assert not store().has(cid)


def test_a_small_ciphertext_that_waits_without_its_bytes(story: Story) -> None:
    Blob.objects.create(digest=OTHER)
    assert story.the_one("R103").what == "waits for the store without its bytes"


@pytest.mark.parametrize("place", ["database", "store"])
def test_a_small_ciphertext_that_was_changed_is_taken_from_the_other_place(story: Story, place: str) -> None:
    digest = version_of(story.record).description
    if place == "database":
        Blob.objects.filter(pk=digest).update(data=b"something else")
    else:
        file_of(Cid.from_digest(digest)).write_bytes(b"something else")
    assert story.found() == {}
    story.the_one("R103", deep=True)
    story.mended("R103", deep=True)


def test_what_nothing_names_is_only_noted_and_stays(story: Story) -> None:
    cid = store().put([b"nobody's"]).cid
    assert story.the_one("R104").note
    done = story.found(repair=True)["R104"]
    assert (done.left, done.repaired) == (0, {})
    assert store().has(cid)


# --- envelopes and keys ------------------------------------------------------------------------------------


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
    assert envelope_of(grant).list_id == grant.envelopes


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
    envelope = Envelope.objects.get(list=sealed.secret)
    QueuedKey.objects.filter(record=story.letter).delete()
    Blob.objects.filter(pk=envelope.digest).delete()
    file_of(Cid.from_digest(envelope.digest)).unlink()
    assert story.the_one("R208").subject == f"version {sealed.pk}"


# --- projections -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "model", "columns"),
    [
        ("R302", Admission, {"admitted": False}),
        ("R303", Affiliation, {"serial": 9}),
        ("R304", FolderState, {"epoch": 9}),
        ("R304", FolderState, {"name_serial": 9}),
        ("R305", Record, {"closed": 2}),
        ("R306", Request, {"state": "withdrawn"}),
        ("R307", Grant, {"permissions": 3}),
        ("R307", Grant, {"serial": 9}),
        ("R309", Version, {"content": OTHER}),
        ("R309", Version, {"secret": "0x" + "33" * 40}),
        ("R309", Rekey, {"envelopes": OTHER}),
        ("R309", Request, {"envelopes": OTHER}),
    ],
)
def test_a_row_that_contract_or_event_contradicts(
    story: Story, check: str, model: type, columns: dict[str, object]
) -> None:
    rows = model.objects.all()  # type: ignore[attr-defined]
    row = (rows.filter(ended="") if model is Grant else rows).order_by("pk").last()
    rows.filter(pk=row.pk).update(**columns)
    found = story.found()
    assert check in found
    assert len(found[check].findings) == 1
    assert found[check].findings[0].repair is None


@pytest.mark.parametrize(
    ("check", "model"),
    [
        ("R301", PublishedKey),
        ("R302", Admission),
        ("R303", Affiliation),
        ("R304", FolderState),
        ("R305", Record),
        ("R306", Request),
        ("R307", Grant),
        ("R309", Rekey),
    ],
)
def test_a_row_that_is_missing(story: Story, check: str, model: type) -> None:
    row = model.objects.order_by("-pk").first()  # type: ignore[attr-defined]
    if model is Record:
        Version.objects.filter(record=row).delete()
    row.delete()
    found = story.found()
    assert "has left no row" in found[check].findings[0].what


def test_a_sender_who_is_refused_here_and_not_on_the_chain(story: Story) -> None:
    BlockedSender.objects.create(
        patient=story.patient.address, sender=story.clinic.via, blocked=True, serial=1
    )
    assert story.the_one("R308").subject.startswith("blocked sender ")


def test_a_published_key_of_other_bytes(story: Story) -> None:
    PublishedKey.objects.filter(account=story.patient.address).update(key=b"\x01" * 1217)
    assert set(story.found()) == {"R301", "R309"}


# --- accounts ----------------------------------------------------------------------------------------------


def test_a_vault_of_another_phrase(story: Story) -> None:
    vault = Vault.objects.get(user=story.patient.user)
    Vault.objects.filter(pk=vault.pk).update(root=ELSEWHERE)
    assert story.the_one("R401").subject == f"vault {vault.pk}"


def test_a_key_that_another_portal_has_moved_on(story: Story) -> None:
    Account.objects.filter(address=story.patient.address).update(key_version=0)
    assert story.the_one("R402").subject == f"account {story.patient.account.pk}"


@pytest.mark.parametrize("whose", ["patient", "institution"])
def test_a_key_that_nobody_is_asked_to_publish(story: Story, whose: str) -> None:
    address = story.patient.address if whose == "patient" else story.clinic.via
    Account.objects.filter(address=address).update(key_version=2)
    story.the_one("R402")
    story.mended("R402")
    asked = Errand.objects.get(state="open")
    assert asked.account == (story.patient.address if whose == "patient" else story.clinic.manager.address)


def test_a_sealed_seed_of_another_key(story: Story) -> None:
    row = SealedKey.objects.filter(kind=SealedKey.Kind.SEED).first()
    assert row is not None
    SealedKey.objects.filter(pk=row.pk).update(digest=OTHER)
    assert story.the_one("R403").subject == f"sealed key {row.pk}"
