"""Make the data of a release: `python -m tests.release.make CHECKOUT`, with the folder of its code.

A portal of that code runs, people do what they do, and its folder is packed: database, store, chain and keys.
The people's passwords are the tests' own. Then name the release in tests/release/__init__.py.
"""

import argparse
import json
import shutil
import sys
import tarfile
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.release import DATA, TOLD
from tests.run import portal as run_portal_module
from tests.story import portal as story_portal_module
from tests.story.hospital import open_hospital
from tests.story.plain import PlainVisitor
from tests.story.portal import StoryPortal, wait_for

BLOOD = b"%PDF-1.7 haemoglobin 11.1 g/dl\n" * 40
LETTER = b"Dear colleague, she takes iron now."
PATIENT = ("Asha Verma", "asha@example.org")
_LEFT_OUT = {
    "static",
    "static.stamp",
    "cache",
    "queue",
    "metrics",
    "mail",
    "run.log",
    "states",
    "genesis.json",
}
_YEARS = timedelta(days=3649)  # the longest that access lasts


def main() -> int:
    """Make and pack it."""
    parser = argparse.ArgumentParser(prog="python -m tests.release.make", description=__doc__)
    parser.add_argument("checkout", type=Path, help="the release's code, with its .venv and node_modules")
    options = parser.parse_args()
    for module in (run_portal_module, story_portal_module):
        setattr(module, "ROOT", options.checkout.resolve())  # noqa: B010  (what they import it as)
    with tempfile.TemporaryDirectory(prefix="medrec-release-") as folder:
        var = Path(folder) / "var"
        portal = StoryPortal(var)
        portal.start()
        try:
            told = _tell(portal)
            assert portal.portal.stop() == 0
        finally:
            portal.stop()
        (var / TOLD).write_text(json.dumps(told, indent=1))
        _pack(var, DATA)
    sys.stdout.write(f"{DATA}: {DATA.stat().st_size:,} bytes\n")
    return 0


def _tell(portal: StoryPortal) -> dict[str, str]:
    """A hospital with a doctor, a patient whose folder the doctor may write to, and a record of each."""
    hospital = open_hospital(portal)
    visitor = PlainVisitor(portal.url, portal.mailbox, *PATIENT)
    visitor.register()
    patient, doctor = visitor.make_token(), hospital.api
    day = "2026-03-02"
    record = patient.upload(
        BLOOD, title="Blood report", file_name="blood.pdf", kind="11502-2", service_date=day, folder=1
    )
    patient.wait_for_state(f"records/{record}", "confirmed")
    ends = (datetime.now(UTC) + _YEARS).isoformat()
    grant = {"grantee": doctor.address, "via": hospital.address, "expires_at": ends}
    given = patient.send("POST", "grants", folders=[1], permissions="write", **grant)
    assert given.status == 202, given.text
    wait_for(lambda: doctor.get(f"records/{record}/content").status == 200, "the grant")
    who = {"patient": patient.address, "via": hospital.address}
    letter = doctor.upload(
        LETTER, title="Letter", file_name="letter.txt", kind="11488-4", service_date=day, folder=1, **who
    )
    patient.wait_for_state(f"records/{letter}", "confirmed")
    return {"patient": patient.address, "hospital": hospital.address, "record": record, "letter": letter}


def _pack(var: Path, to: Path) -> None:
    for name in _LEFT_OUT:
        for path in (var / name, var / "chain" / name):
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
    with tarfile.open(to, "w:xz", preset=9) as archive:
        archive.add(var, arcname="var")


if __name__ == "__main__":
    sys.exit(main())
