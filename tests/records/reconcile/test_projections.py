"""Projections, against contract and events."""

import pytest

from accounts.models import Admission, Affiliation, PublishedKey
from chain.models import Event
from records.models import Anchor, BlockedSender, FolderState, Grant, Record, Rekey, Request, Version
from tests.records.reconcile.story import OTHER, Story


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
        "LogAnchored",
    }


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
        ("R309", Anchor, {"tx_hash": OTHER}),
        ("R309", Anchor, {"act": OTHER}),
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
        ("R309", Anchor),
        ("R310", Anchor),
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
