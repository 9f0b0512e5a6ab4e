"""A full disk fails no read and no revoke. Files are refused before, and everything goes on with room again.

The portal runs in a small file system in memory, which another program fills to the last byte.
"""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from chain.support.disk_reserve import DiskReserve
from tests.requirements import require_tool
from tests.story.plain import Api, PlainVisitor
from tests.story.portal import StoryPortal, wait_for

pytestmark = pytest.mark.slow

MIB = 1024**2
PEOPLE = (("Asha Verma", "asha@example.org"), ("Ben Carter", "ben@example.org"))
LETTER = {"title": "Letter", "kind": "11488-4", "file_name": "letter.txt"}


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of its own, of 300 MiB."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300m", "medrec-test", str(folder)], capture_output=True
    )
    allowed = None if mounted.returncode else folder
    require_tool("permission to mount a tmpfs", allowed, "run as root, in a container with CAP_SYS_ADMIN")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def portal(small_disk: Path) -> Iterator[StoryPortal]:
    """A portal with all its state on that disk."""
    running = StoryPortal(small_disk / "portal")
    # Metrics are counted in mapped files: a page without room behind it would kill the process.
    running.settings |= {"DISK_RESERVE_BYTES": str(16 * MIB), "METRICS_TOKEN": "x" * 24}
    running.start()
    try:
        yield running
    finally:
        running.stop()


class Filler:
    """Another program, which takes all the room there is."""

    def __init__(self, disk: Path) -> None:
        self._file = disk / "somebody-elses"

    def fill(self) -> None:
        """Take all that is left."""
        with self._file.open("ab", buffering=0) as file, suppress(OSError):
            for size in (MIB, 4096, 1):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def leave(self) -> None:
        """Give it back."""
        self._file.unlink()


@pytest.fixture
def filler(small_disk: Path) -> Iterator[Filler]:
    other = Filler(small_disk)
    yield other
    with suppress(FileNotFoundError):
        other.leave()


def test_reads_and_revokes_work_on_a_full_disk(portal: StoryPortal, filler: Filler) -> None:
    reserve = DiskReserve(portal.var, 16 * MIB)
    wait_for(reserve.file.exists, "the reserve")
    visitors = [PlainVisitor(portal.url, portal.mailbox, *who) for who in PEOPLE]
    for visitor in visitors:
        visitor.register()
    patient, friend = (visitor.make_token() for visitor in visitors)
    record = patient.upload(b"before", **LETTER)
    patient.wait_for_state(f"records/{record}", "confirmed")
    given = patient.send("POST", "grants", grantee=friend.address, folders=[1], expires_at=soon())
    assert given.status == 202, given.text
    wait_for(lambda: [one for one in patient.get("grants").json() if one["state"] == "live"], "the grant")
    wait_for(lambda: read(friend, record) == 200, "the friend to read")

    filler.fill()
    assert [max(read(patient, record), read(friend, record)) for _ in range(10)] == [200] * 10
    assert not reserve.file.exists(), "it was let go"
    page = visitors[0].go("/records/")
    assert (page.status, "Letter" in page.text) == (200, True)
    refused = patient.send("POST", "uploads", size=6, **LETTER)
    assert refused.status == 507
    assert "no room" in refused.json()["error"]
    (live,) = patient.get("grants").json()
    end = {name: live[name] for name in ("grantee", "via", "scope")}
    assert patient.send("POST", "grants/revoke", **end).status == 202
    assert read(friend, record) == 403

    filler.fill()  # to the last byte, the room of the reserve included
    assert [read(patient, record) for _ in range(10)] == [200] * 10
    assert visitors[0].go("/records/").status == 200
    assert read(friend, record) == 403

    filler.leave()
    wait_for(reserve.file.exists, "the reserve again")
    after = patient.upload(b"afterwards", **LETTER)
    patient.wait_for_state(f"records/{after}", "confirmed")
    wait_for(lambda: patient.get("grants").json()[0]["state"] == "revoked", "the revoke to be confirmed")
    assert not list((portal.var / "queue").rglob("*.draft"))


def read(reader: Api, record: str) -> int:
    """The worst status of a list, a record and its bytes."""
    patient = reader.get(f"records/{record}")
    return max(patient.status, reader.get("records").status, reader.get(f"records/{record}/content").status)


def soon() -> str:
    """A month from now."""
    return (timezone.now() + timedelta(days=30)).isoformat()
