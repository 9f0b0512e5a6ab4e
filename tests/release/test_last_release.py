"""The data folder of the last release, as its own code left it: it starts here, is read and is written to."""

import json
import tarfile
from pathlib import Path

import pytest

from tests.release import DATA, TOLD
from tests.release.make import BLOOD, LETTER, PATIENT
from tests.story.plain import PlainVisitor
from tests.story.portal import StoryPortal

pytestmark = pytest.mark.slow


def test_data_of_the_last_release_is_read_and_written(tmp_path: Path) -> None:
    with tarfile.open(DATA) as archive:
        archive.extractall(tmp_path, filter="data")
    portal = StoryPortal(tmp_path / "var")
    told = json.loads((portal.var / TOLD).read_text())
    portal.settings["DATABASE_URL"] = f"sqlite:///{portal.var}/medrec.sqlite3"
    portal.start()
    try:
        visitor = PlainVisitor(portal.url, portal.mailbox, *PATIENT)
        visitor.sign_in()
        doctor = PlainVisitor(portal.url, portal.mailbox, "Dana Reed", "dana@ruby.example")
        doctor.sign_in()
        patient, clinic = visitor.make_token(), doctor.make_token()
        assert patient.address == told["patient"]
        for reader in (patient, clinic):
            assert reader.get(f"records/{told['record']}/content").body == BLOOD
            assert reader.get(f"records/{told['letter']}/content").body == LETTER
        day = {"kind": "11488-4", "service_date": "2026-04-02", "folder": 1, "file_name": "later.txt"}
        later = patient.upload(b"written by this release", title="Later", **day)
        who = {"patient": patient.address, "via": told["hospital"]}
        answer = clinic.upload(b"the doctor's, too", title="Answer", **day, **who)
        for record in (later, answer):
            patient.wait_for_state(f"records/{record}", "confirmed")
        assert clinic.get(f"records/{later}/content").body == b"written by this release"
        (grant,) = patient.get("grants").json()
        ended = {name: grant[name] for name in ("grantee", "via", "scope")}
        assert patient.send("POST", "grants/revoke", **ended).status == 202
        assert clinic.get(f"records/{told['record']}/content").status in (403, 404)
        said = portal.say("reconcile")
        assert "no difference" in said, said
    finally:
        portal.stop()
