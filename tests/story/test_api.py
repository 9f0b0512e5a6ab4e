"""The story over the API: a patient's and a doctor's token, on the whole running system."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.story.hospital import Hospital, open_hospital
from tests.story.ledger import Ledger
from tests.story.plain import Api, PlainVisitor
from tests.story.portal import StoryPortal, wait_for

pytestmark = pytest.mark.slow

BLOOD = b"%PDF-1.7 haemoglobin 11.1 g/dl\n" * 9000
BLOOD_2, LETTER = BLOOD + b"ferritin 9 ug/l", b"Dear colleague, she takes iron now."
LABORATORY, NOTE = "11502-2", "11488-4"


class Story:
    """Who takes part, and what one step leaves to the next."""

    def __init__(self, portal: StoryPortal) -> None:
        self.portal = portal
        self.hospital: Hospital = open_hospital(portal)
        self.doctor = self.hospital.api
        visitor = PlainVisitor(portal.url, portal.mailbox, "Asha Verma", "asha@example.org")
        visitor.register()
        self.patient = visitor.make_token()
        self.record = ""

    def history(self, action: str) -> int:
        """Return how many confirmed lines of this kind the patient's history has."""
        lines = self.patient.get("history").json()
        return sum(line["action"] == action and line["state"] == "confirmed" for line in lines)

    def grant(self, **what: Any) -> None:
        """The patient grants to the doctor, through the hospital. Returns once the doctor can use it."""
        ends = (timezone.now() + timedelta(days=5)).isoformat()
        body = {"grantee": self.doctor.address, "via": self.hospital.address, "expires_at": ends} | what
        given = self.patient.send("POST", "grants", **body)
        assert given.status == 202, given.text
        wanted = what.get("permissions", "read")

        def held() -> bool:
            scopes = [scope for patient in self.doctor.get("patients").json() for scope in patient["scopes"]]
            return any(scope["permissions"] == wanted for scope in scopes)

        wait_for(held, "the grant")


@pytest.fixture(scope="module")
def story(portal: StoryPortal) -> Story:
    return Story(portal)


def test_3_the_patient_uploads(story: Story) -> None:
    patient = story.patient
    description = {"title": "Blood report", "kind": LABORATORY, "service_date": "2026-03-02", "folder": 1}
    described = patient.send(
        "POST", "uploads", **description, file_name="blood.pdf", size=len(BLOOD), nonce="4 1 6 2"
    )
    assert described.status == 201
    path = f"uploads/{described.json()['id']}/content"
    first, again = patient.put(path, BLOOD), patient.put(path, BLOOD)
    assert (first.status, again.status) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    story.record = first.json()["id"]
    confirmed = patient.wait_for_state(f"records/{story.record}", "confirmed")
    assert confirmed["block_number"] > 0
    assert confirmed["title"] == "Blood report"
    assert len(patient.get("records").json()) == 1
    assert patient.get(f"records/{story.record}/content").body == BLOOD


def test_4_the_doctor_asks(story: Story) -> None:
    doctor, patient = story.doctor, story.patient
    assert doctor.get(f"records/{story.record}").status == 404
    asked = doctor.send(
        "POST",
        "requests",
        patient=patient.address,
        via=story.hospital.address,
        purpose="TREAT",
        kinds=[LABORATORY],
        permissions="write",
        days=60,
        note="Your anaemia",
    )
    assert asked.status == 201, asked.text
    doctor.wait_for_state(f"requests/{asked.json()['id']}", "open")
    (seen,) = patient.get("requests").json()
    assert (seen["id"], seen["author_name"], seen["terms"]["note"]) == (
        asked.json()["id"],
        "Dana Reed",
        "Your anaemia",
    )


def test_5_and_6_the_patient_narrows_it_and_the_doctor_reads(story: Story) -> None:
    doctor, patient = story.doctor, story.patient
    (asked,) = patient.get("requests").json()
    past = (timezone.now() - timedelta(days=1)).isoformat()
    refused = patient.send("POST", "grants", grantee=doctor.address, folders=[1], expires_at=past)
    assert refused.status == 400
    story.grant(folders=[1], permissions="read", request=asked["id"])
    (held,) = doctor.get("patients").json()
    assert (held["address"], held["name"]) == (patient.address, "Asha Verma")
    opened = doctor.get(f"records/{story.record}/content")
    assert (opened.status, opened.body) == (200, BLOOD)
    viewed = [line for line in patient.get("history").json() if line["action"] == "viewed"]
    assert (viewed[0]["agent"], viewed[0]["record"]) == (doctor.address, story.record)


def test_bad_input_is_refused_in_words_and_changes_nothing(story: Story) -> None:
    doctor, patient, via = story.doctor, story.patient, story.hospital.address
    unknown = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
    wrong = patient.address[:-1] + ("0" if patient.address[-1] != "0" else "1")
    soon = (timezone.now() + timedelta(days=5)).isoformat()
    file = {"title": "A", "kind": LABORATORY, "file_name": "a.pdf", "size": 9}
    ask = {"via": via, "purpose": "TREAT", "days": 9}
    give = {"via": via, "folders": [1], "expires_at": soon, "grantee": doctor.address}
    bad: list[tuple[Api, str, dict[str, Any], int]] = [
        (patient, "uploads", file | {"size": 0}, 400),
        (patient, "uploads", file | {"size": 6 * 1024**3}, 413),
        (patient, "uploads", file | {"kind": "nonsense"}, 400),
        (patient, "uploads", file | {"nonce": "x" * 65}, 400),
        (patient, "uploads", file | {"folder": 77}, 404),
        (doctor, "requests", ask | {"patient": wrong}, 400),
        (doctor, "requests", ask | {"patient": unknown}, 400),
        (doctor, "requests", ask | {"patient": doctor.address}, 400),
        (doctor, "requests", ask | {"patient": patient.address, "days": 0}, 400),
        (doctor, "requests", ask | {"patient": patient.address, "purpose": "curiosity"}, 400),
        (patient, "grants", give | {"expires_at": "2020-01-01T00:00:00Z"}, 400),
        (patient, "grants", give | {"grantee": unknown}, 400),
        (patient, "grants", give | {"via": unknown}, 400),
        (patient, "grants", give | {"folders": [0]}, 400),
        (patient, "grants", give | {"folders": []}, 400),
    ]
    before = [patient.get(path).json() for path in ("records", "requests", "grants", "folders")]
    for who, path, body, status in bad:
        answer = who.send("POST", path, **body)
        assert (answer.status, bool(answer.json()["error"])) == (status, True), (path, body, answer.text)
    assert patient.get(f"records/0x{'1' * 64}").status == 404
    assert [patient.get(path).json() for path in ("records", "requests", "grants", "folders")] == before


def test_7_write_permission_decides_who_modifies(story: Story) -> None:
    doctor, patient, record = story.doctor, story.patient, story.record
    via, ledger = story.hospital.address, Ledger(story.portal)
    mended = {"title": "Blood report, mended", "kind": LABORATORY, "via": via}
    assert doctor.send("PATCH", f"records/{record}", **mended).status == 403
    sent_straight = (doctor.address, patient.address, via, record, 2)
    assert ledger.allows("canRead", patient.address, doctor.address, via, folder=1)
    assert not ledger.allows("canWrite", patient.address, doctor.address, via, folder=1)
    assert ledger.refusal_of_modify(*sent_straight) == "NoWriteAccess"
    letter = {"title": "Letter", "kind": NOTE, "file_name": "letter.txt", "folder": 1}
    added = letter | {"patient": patient.address, "via": story.hospital.address}
    refused = doctor.send("POST", "uploads", size=len(LETTER), **added)
    assert refused.status == 403, refused.text
    story.grant(folders=[1], permissions="write")
    assert ledger.allows("canWrite", patient.address, doctor.address, via, folder=1)
    assert ledger.refusal_of_modify(*sent_straight) == ""
    new = doctor.upload(LETTER, **added)
    doctor.wait_for_state(f"records/{new}", "confirmed")
    replaced = mended | {"file_name": "blood2.pdf", "replaces": record, "patient": patient.address}
    assert doctor.upload(BLOOD_2, **replaced) == record
    last = doctor.wait_for_state(f"records/{record}", "confirmed")
    assert [version["title"] for version in last["versions"]] == ["Blood report", "Blood report, mended"]
    for reader in (doctor, patient):
        for version, content in zip(last["versions"], (BLOOD, BLOOD_2), strict=True):
            found = reader.get(f"records/{record}/content?version={version['version']}")
            assert found.body == content
    assert {row["title"] for row in patient.get("records").json()} == {"Letter", "Blood report, mended"}


def test_8_a_revoke_is_obeyed_by_the_very_next_request(story: Story) -> None:
    doctor, patient, record = story.doctor, story.patient, story.record
    (grant,) = [one for one in patient.get("grants").json() if one["state"] == "live"]
    end = {name: grant[name] for name in ("grantee", "via", "scope")}
    first, again = [patient.send("POST", "grants/revoke", **end) for _ in range(2)]
    assert (first.status, again.status) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    for path in (f"records/{record}/content", f"records/{record}"):
        assert doctor.get(path).status == 403, path
    assert doctor.get("patients").json() == []
    wait_for(lambda: story.history("revoked") == 1, "the revoke")
    who = (patient.address, doctor.address, story.hospital.address)
    assert not Ledger(story.portal).allows("canRead", *who, folder=1)
    wait_for(lambda: story.history("rekeyed") == 1, "the folder's next epoch")
    assert doctor.get(f"records/{record}/content").status == 403


def test_8_a_grant_to_the_institution_runs_out_and_the_folder_moves_at_the_next_opening(story: Story) -> None:
    doctor, patient, record, via = story.doctor, story.patient, story.record, story.hospital.address
    rekeyed = story.history("rekeyed")
    ends = timezone.now() + timedelta(seconds=30)
    to_all = {"grantee": via, "via": via, "folders": [1], "expires_at": ends.isoformat()}
    assert patient.send("POST", "grants", **to_all).status == 202
    wait_for(lambda: doctor.get(f"records/{record}/content").status == 200, "the grant to the hospital")
    assert doctor.get(f"records/{record}/content").body == BLOOD_2
    wait_for(lambda: doctor.get(f"records/{record}/content").status == 403, "the end of the grant")
    assert timezone.now() >= ends - timedelta(seconds=1)  # the chain counts whole seconds
    # A sweep leaves the key task within a minute; a GET runs none, the patient's next call that is none does.
    wait_for(lambda: patient.get("key-tasks").json()["waiting_count"] == 1, "the key task", seconds=120)

    def moved() -> bool:
        patient.send("POST", "key-tasks")
        return story.history("rekeyed") == rekeyed + 1

    wait_for(moved, "the folder's next epoch")


def test_9_with_the_chain_frozen_an_upload_is_taken_and_confirmed_later(story: Story) -> None:
    patient, portal = story.patient, story.portal
    with portal.frozen("chain.localchain", "anvil"):
        record = patient.upload(LETTER, title="On thin ice", kind=NOTE, file_name="ice.txt")
        assert patient.get(f"records/{record}").json()["state"] == "waiting"
        assert patient.get(f"records/{record}/content").body == LETTER
    patient.wait_for_state(f"records/{record}", "confirmed")


def test_9_after_kill_9_tokens_and_records_are_there_and_what_waited_is_confirmed(story: Story) -> None:
    patient, portal = story.patient, story.portal
    portal.stop_worker()
    record = patient.upload(LETTER, title="Late", kind=NOTE, file_name="late.txt")
    assert patient.get(f"records/{record}").json()["state"] == "waiting"
    portal.kill()
    portal.start()
    patient.wait_for_state(f"records/{record}", "confirmed")
    assert patient.get(f"records/{record}/content").body == LETTER
    assert patient.get(f"records/{story.record}/content").body == BLOOD_2
    assert story.doctor.get(f"records/{story.record}").status == 403
