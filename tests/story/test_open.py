"""medrec-open against the running system: a phrase, a node and a store are enough."""

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.crypto.phrase import new_entropy, phrase_of
from tests.run.portal import ROOT
from tests.story.hospital import open_hospital
from tests.story.plain import PlainVisitor
from tests.story.portal import StoryPortal, wait_for

pytestmark = pytest.mark.slow

PACK = ROOT / "records" / "crypto" / "medrec_open" / "pack.py"
LABORATORY, NOTE = "11502-2", "11488-4"
SCAN = os.urandom(3 * 1024 * 1024 + 77)  # more than one block on IPFS
BLOOD, BLOOD_2, LETTER = b"%PDF- haemoglobin 11.1", b"%PDF- haemoglobin 11.3", b"Dear colleague,"


class Opener:
    """The one file that `pack.py` makes, alone in a folder, with a phrase in a file."""

    def __init__(self, portal: StoryPortal, folder: Path, phrase: str) -> None:
        self.script = folder / "medrec-open.pyz"
        subprocess.run([sys.executable, "-I", str(PACK), str(self.script)], check=True, timeout=60)
        self.phrase_file = folder / "phrase.txt"
        self.phrase_file.write_text(phrase)
        self.out = folder / "records"
        contract = json.loads((portal.var / "chain" / "contract.json").read_text())["address"]
        self.chain = ("--rpc", portal.portal.rpc_url, "--contract", contract)

    def run(self, store: Path, *options: str) -> "subprocess.CompletedProcess[str]":
        """Open everything, with nothing of the portal importable."""
        place = ("--store", str(store), "--out", str(self.out), "--phrase-file", str(self.phrase_file))
        command = [sys.executable, "-I", str(self.script), *self.chain, *place, *options]
        return subprocess.run(command, cwd=self.script.parent, capture_output=True, text=True, timeout=120)


def test_a_phrase_opens_everything_without_the_portal(portal: StoryPortal, tmp_path: Path) -> None:
    hospital = open_hospital(portal)
    visitor = PlainVisitor(portal.url, portal.mailbox, "Asha Verma", "asha@example.org")
    visitor.register()
    patient, doctor = visitor.make_token(), hospital.api
    blood = {"title": "Blood / report: ../1", "kind": LABORATORY, "file_name": "../blood.pdf", "folder": 1}
    record = patient.upload(BLOOD, **blood)
    patient.wait_for_state(f"records/{record}", "confirmed")
    patient.upload(BLOOD_2, **blood, replaces=record)
    scan = patient.upload(SCAN, title="Scan", kind=NOTE, file_name="scan.dcm", folder=1)
    letter = {"title": "Letter", "kind": NOTE, "file_name": "letter.txt", "folder": 0}
    left = doctor.upload(LETTER, **letter, patient=patient.address, via=hospital.address)
    ends = (timezone.now() + timedelta(days=5)).isoformat()
    to_doctor = {"grantee": doctor.address, "via": hospital.address, "folders": [1], "expires_at": ends}
    assert patient.send("POST", "grants", **to_doctor).status == 202
    for one in (record, scan, left):
        patient.wait_for_state(f"records/{one}", "confirmed")
    wait_for(lambda: doctor.get("patients").json(), "the grant")

    opener = Opener(portal, tmp_path, visitor.phrase)
    opened = opener.run(portal.var / "store")
    assert opened.returncode == 0, opened.stderr + opened.stdout
    index = json.loads((opener.out / "medrec.json").read_text())
    saved = {(row["title"], row["version"]): Path(row["saved"]) for row in index["records"]}
    contents = {place: path.read_bytes() for place, path in saved.items()}
    title = str(blood["title"])
    assert contents == {(title, 1): BLOOD, (title, 2): BLOOD_2, ("Scan", 1): SCAN, ("Letter", 1): LETTER}
    assert all(path.resolve().is_relative_to(opener.out.resolve()) for path in saved.values())
    assert [grant["grantee"] for grant in index["grants"]] == [doctor.address[2:].lower()]
    told = {event["event"] for event in index["history"]}
    assert told == {"KeyPublished", "RecordAdded", "RecordModified", "AccessGranted"}
    assert f"0x{patient.address[2:].lower()}" in opened.stdout

    _opens_for_the_doctor(portal, tmp_path, hospital.doctor.phrase)
    _overwrites_nothing(opener, portal.var / "store", saved["Letter", 1])
    _refuses_what_was_changed(opener, portal.var / "store", tmp_path / "store", saved["Scan", 1])
    for phrase, said in ((phrase_of(new_entropy()), "no account"), ("abandon " * 24, "belong together")):
        opener.phrase_file.write_text(phrase)
        refused = opener.run(portal.var / "store")
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr


def _opens_for_the_doctor(portal: StoryPortal, folder: Path, phrase: str) -> None:
    """The doctor's phrase opens the folder that was shared, and tells what she wrote."""
    (folder / "doctor").mkdir()
    opener = Opener(portal, folder / "doctor", phrase)
    opened = opener.run(portal.var / "store")
    assert opened.returncode == 0, opened.stderr + opened.stdout
    index = json.loads((opener.out / "medrec.json").read_text())
    assert index["records"] == []
    contents = [Path(row["saved"]).read_bytes() for row in index["received_records"]]
    assert sorted(contents) == sorted([BLOOD, BLOOD_2, SCAN])
    assert len(index["written"]) == 1


def _overwrites_nothing(opener: Opener, store: Path, letter: Path) -> None:
    """A second run saves nothing anew, and leaves alone what has a saved file's name and other bytes."""
    saved = [path for path in opener.out.rglob("*") if path.is_file() and path.suffix != ".json"]
    before = {path: path.stat().st_mtime_ns for path in saved if path != letter}
    letter.write_bytes(b"my own words")
    again = opener.run(store)
    assert (again.returncode, letter.read_bytes()) == (1, b"my own words")
    assert f"{letter} is not the content described" in again.stdout
    letter.unlink()
    assert opener.run(store).returncode == 0
    assert letter.read_bytes() == LETTER
    assert len(before) == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before


def _refuses_what_was_changed(opener: Opener, store: Path, copy: Path, scan: Path) -> None:
    """One byte of the largest content: said, nothing of it saved, and all else opened."""
    shutil.copytree(store, copy)
    largest = max((path for path in copy.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    changed = bytearray(largest.read_bytes())
    changed[-1_000_000] ^= 1
    largest.write_bytes(changed)
    shutil.rmtree(opener.out)
    opened = opener.run(copy)
    assert opened.returncode == 1
    index = json.loads((opener.out / "medrec.json").read_text())
    problems = [row["title"] for row in index["records"] if "problem" in row]
    assert problems == ["Scan"]
    assert not scan.exists()
    assert len([row for row in index["records"] if "saved" in row]) == 3
    assert not list(opener.out.rglob("*.part"))
