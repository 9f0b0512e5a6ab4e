"""Bad records that another portal or wallet made: told once, and no hiding place for a loss of ours."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chain.contract.slots import record_id
from chain.models import AcknowledgedFinding
from records.arrivals import LARGE
from records.models import Blob, Fetch, Version
from records.storage import Cid
from tests.chain.raw_acts import send_from_elsewhere
from tests.chain_node import fresh_person
from tests.exploits.prepared import recording
from tests.records.reconcile.story import Story, content_of, file_of, version_of
from tests.records.reconcile.test_command import run

BYTES = ("R101", "R102", "R208")


def send_bad_letter(story: Story, **fields: object) -> str:
    """The doctor's wallet puts a letter into the inbox whose bytes are nowhere. Return its record's id."""
    doctor = story.clinic.doctor
    key = doctor.keys.signing_key
    assert key is not None
    act = recording(
        doctor.address, patient=story.patient.address, via=story.clinic.via, folder=0, epoch=0, **fields
    )
    send_from_elsewhere(story.chain, act, key)
    return record_id(doctor.address, act.fields["nonce"])


def test_bad_records_of_others_are_told_until_they_are_acknowledged(story: Story) -> None:
    record = send_bad_letter(story)
    said = run(story, *BYTES, code=1)
    assert said.count("(made elsewhere)") == 3
    assert "--acknowledge" in said

    run(story, *BYTES, "--acknowledge")
    said = run(story, *BYTES)
    assert said.count("(made elsewhere, acknowledged)") == 3
    assert "0 found, 1 acknowledged before" in said

    send_bad_letter(story)
    said = run(story, *BYTES, code=1)
    assert said.count("(made elsewhere)") == 3
    assert Version.objects.filter(record=record).exists()


def test_a_loss_of_ours_is_never_acknowledged(story: Story) -> None:
    send_bad_letter(story)
    file_of(content_of(story.record)).unlink()
    run(story, *BYTES, "--acknowledge", code=1)
    said = run(story, *BYTES, code=1)
    assert f"content {content_of(story.record)}: is not in the store (version 1 of {story.record})\n" in said


@pytest.mark.parametrize("field", ["content", "description"])
def test_a_loss_of_ours_does_not_hide_behind_a_record_that_names_the_same_bytes(
    story: Story, field: str
) -> None:
    ours = version_of(story.record)
    send_bad_letter(story, **{field: bytes.fromhex(getattr(ours, field)[2:])})
    run(story, *BYTES, "--acknowledge")
    file_of(content_of(story.record)).unlink()
    Blob.objects.filter(pk=ours.description).delete()
    file_of(Cid.from_digest(ours.description)).unlink()
    run(story, *BYTES, "--acknowledge", code=1)
    said = run(story, *BYTES, code=1)
    lost = {"content": "is not in the store", "description": "is nowhere"}[field]
    assert [line for line in said.splitlines() if lost in line and "elsewhere" not in line]


def test_what_changed_since_it_was_acknowledged_is_told_again(story: Story) -> None:
    send_bad_letter(story)
    run(story, "R102", "--acknowledge")
    AcknowledgedFinding.objects.update(what="something else")
    assert "(made elsewhere)" in run(story, "R102", code=1)


def test_what_another_portal_keeps_of_its_own_patients_is_a_note(story: Story) -> None:
    """Its records are on the chain, and their bytes on its node: for ever, and rightly so."""
    story.settle()
    run(story, *BYTES, "--acknowledge")  # letters of other tests on this chain
    others = fresh_person()
    for _ in range(2):
        send_from_elsewhere(story.chain, recording(others.address), others.key)
    assert Version.objects.filter(record__patient=others.address).count() == 2
    said = run(story, *BYTES)
    assert said.count("2 of records of patients who are not here") == 2
    assert "(made elsewhere)" not in said


def test_what_is_to_come_from_another_portal_is_a_note_for_a_week(story: Story) -> None:
    story.settle()
    run(story, *BYTES, "--acknowledge")  # letters of other tests on this chain
    row = Version.objects.get(record=send_bad_letter(story))
    kinds = {row.content: "content", row.description: "description", row.secret: "list"}
    for digest, kind in kinds.items():
        Fetch.objects.create(digest=digest, kind=kind, patient=row.record.patient, author=row.author)
    said = run(story, *BYTES)
    assert said.count("It is to be fetched since") == 3
    Fetch.objects.filter(kind="content").update(state="refused", error=LARGE)
    assert "fetched when somebody opens it" in run(story, *BYTES)
    Fetch.objects.update(since=timezone.now() - timedelta(days=8))
    said = run(story, *BYTES, code=1)
    assert said.count("(made elsewhere)") == 2
