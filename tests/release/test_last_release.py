"""The data folder of the last release, as its own code left it: it starts here, is read and is written to."""

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from chain.operations.deploy import FACTORY
from tests.release import DATA, TOLD
from tests.release.make import BLOOD, LETTER, PATIENT
from tests.run.portal import portal_environment
from tests.run.test_make_run import run_refused
from tests.story.plain import PlainVisitor
from tests.story.portal import StoryPortal

pytestmark = pytest.mark.slow


def unpack(to: Path) -> Path:
    """The data folder that the last release left."""
    with tarfile.open(DATA) as archive:
        archive.extractall(to, filter="data")
    return to / "var"


def tables_of(file: Path) -> tuple[int, set[str]]:
    """Return how many migrations a database has had, and its tables."""
    with closing(sqlite3.connect(file)) as database:
        (count,) = database.execute("SELECT count(*) FROM django_migrations").fetchone()
        return count, {name for (name,) in database.execute("SELECT name FROM sqlite_master")}


def test_a_refused_upgrade_leaves_the_tables_as_they_were(tmp_path: Path) -> None:
    var = unpack(tmp_path)
    file, contract = var / "medrec.sqlite3", var / "chain" / "contract.json"
    names = json.loads(contract.read_text())
    contract.write_text(json.dumps(names | {"address": FACTORY, "origin_contract": FACTORY}))
    before = tables_of(file)
    said = run_refused(portal_environment(var) | {"DATABASE_URL": f"sqlite:///{file}"})
    assert "is of another version of MedRec" in said
    assert "docs/OPERATIONS.md" in said
    assert tables_of(file) == before


def test_data_of_the_last_release_is_read_and_written(tmp_path: Path) -> None:
    portal = StoryPortal(unpack(tmp_path))
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
