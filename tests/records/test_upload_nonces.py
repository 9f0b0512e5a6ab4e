"""Whatever is cut, killed, sent twice, changed or restored: one key and counter encrypt one plaintext."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from hypothesis import HealthCheck, example, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from accounts.actor import Actor
from records.content import staging
from records.crypto.mdr1 import CHUNK_BYTES, HEADER_BYTES, PREFIX, Encryptor
from records.errors import RecordsError
from records.models import Upload
from records.services import upload_parts, uploads
from tests.records.test_upload_parts import Killed, digest_of, kill_at, left_claimed
from tests.records.test_uploads import describe

pytestmark = pytest.mark.django_db

SIZE = 2 * CHUNK_BYTES + 10
FILES = [b"%PDF-1.7\n" + bytes([number]) * (SIZE - 9) for number in range(3)]
POINTS = ["begin_parts", "write_part", "complete_part"]
KINDS = [
    "send",
    "send",
    "send",
    "cut",
    "lose",
    "finish",
    "back up",
    "restore",
    "restore rows",
    "restore staging",
]

STEP = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from([0, 0, 0, -1, 1]),  # which part: that which comes next, or one beside it
    st.integers(0, 2),  # of which file
    st.sampled_from(POINTS),
    st.booleans(),  # killed before or after it
)
FIRST_OF_X = [("send", 0, 1, "", False), ("back up", 0, 0, "", False)]
REST = [("send", 0, 1, "", False), ("send", 0, 1, "", False)]
FINISH_X = [*REST, ("finish", 0, 1, "", False)]
OTHER_REST = [("send", 0, 2, "", False), ("send", 0, 2, "", False), ("finish", 0, 2, "", False)]


@dataclass
class Sealed:
    """Everything that was encrypted: (commitment of the key, chunk) and which plaintext it was."""

    chunks: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    twice: list[tuple[bytes, int]] = field(default_factory=list)

    def note(self, commitment: bytes, chunk: int, plain: bytes) -> None:
        """One chunk under one key."""
        if (commitment, chunk) in self.chunks:
            self.twice.append((commitment, chunk))
        self.chunks[commitment, chunk] = plain


@dataclass
class Backup:
    """The upload's row and the staging folder as they were, or nothing yet."""

    folder: Path
    row: dict[str, Any] | None = None

    def make(self) -> None:
        """Copy both."""
        self.row = dict(Upload.objects.values().get())
        shutil.rmtree(self.folder, ignore_errors=True)
        if settings.UPLOAD_STAGING_PATH.exists():
            shutil.copytree(settings.UPLOAD_STAGING_PATH, self.folder)

    def restore(self, what: str) -> None:
        """Put back the row, the staging folder, or both."""
        if self.row is not None and what != "restore staging":
            Upload.objects.all().delete()
            Upload.objects.create(**self.row)
        if self.row is not None and what != "restore rows":
            shutil.rmtree(settings.UPLOAD_STAGING_PATH, ignore_errors=True)
            if self.folder.exists():
                shutil.copytree(self.folder, settings.UPLOAD_STAGING_PATH)


@pytest.fixture
def _small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "UPLOAD_PART_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(settings, "UPLOAD_STAGING_PATH", tmp_path / "staging")


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> Sealed:
    """Collect everything that the one place that encrypts files has encrypted."""
    noted, real = Sealed(), Encryptor._seal

    def seal(self: Encryptor, plain: memoryview, *, last: bool) -> bytes:
        noted.note(self._commitment, self._index, bytes(plain))
        return real(self, plain, last=last)

    monkeypatch.setattr(Encryptor, "_seal", seal)
    return noted


@budget(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=16))
@example(steps=FIRST_OF_X + FINISH_X)
@example(steps=FIRST_OF_X)
@pytest.mark.usefixtures("_small_parts")
def test_one_key_and_counter_encrypt_one_plaintext(
    patient: Actor, sealed: Sealed, tmp_path: Path, steps: list[tuple[str, int, int, str, bool]]
) -> None:
    Upload.objects.all().delete()  # of the example before
    described = describe(patient, size=SIZE)
    _do_all(patient, described, steps, Backup(tmp_path / "backup"))
    assert sealed.twice == []
    _finish_after_all(patient, described)


@pytest.mark.parametrize("what", ["restore", "restore rows", "restore staging"])
@pytest.mark.parametrize("then", [FINISH_X, REST])
@pytest.mark.usefixtures("_small_parts")
def test_no_two_ciphertexts_share_a_header_after_a_restore(
    patient: Actor, sealed: Sealed, tmp_path: Path, what: str, then: list[tuple[str, int, int, str, bool]]
) -> None:
    described, headers = describe(patient, size=SIZE), _Headers()
    backup = Backup(tmp_path / "backup")
    for steps in (FIRST_OF_X, then, [(what, 0, 0, "", False)], OTHER_REST):
        _do_all(patient, described, steps, backup)
        headers.look()
    assert sealed.twice == []
    assert headers.seen
    assert headers.shared() == []


class _Headers:
    """The headers (salt, commitment) of every file in store and staging, at each look."""

    def __init__(self) -> None:
        self.seen: dict[bytes, set[bytes]] = {}

    def look(self) -> None:
        """Note each MDR1 file, whatever stands around it."""
        for folder in (settings.STORE_PATH, settings.UPLOAD_STAGING_PATH):
            for path in folder.rglob("*"):
                for data in _files_in(path.read_bytes()) if path.is_file() else ():
                    self.seen.setdefault(data[:HEADER_BYTES], set()).add(data)

    def shared(self) -> list[bytes]:
        """Those under which two files stand that differ."""
        return [header for header, files in self.seen.items() if len(files) > 1]


def _files_in(data: bytes) -> Iterator[bytes]:
    starts = [at for at in range(0, len(data), 1) if data.startswith(PREFIX, at)] if PREFIX in data else []
    yield from (data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True))


def _do_all(
    actor: Actor, described: str, steps: list[tuple[str, int, int, str, bool]], backup: Backup
) -> None:
    for what, part, file, point, after in steps:
        if what == "back up":
            backup.make()
        elif what.startswith("restore"):
            backup.restore(what)
        else:
            _do(actor, described, what, part, FILES[file], point, after=after)


def _do(actor: Actor, described: str, what: str, part: int, file: bytes, point: str, *, after: bool) -> None:
    with suppress(RecordsError, Killed), pytest.MonkeyPatch.context() as patched:
        if what == "finish":
            upload_parts.finish_upload(actor=actor, upload_id=described, digest=digest_of(file, CHUNK_BYTES))
        elif what == "lose":
            for name in staging().names():
                staging().remove(name)
        else:
            if what == "cut":
                kill_at(patched, point, after=after)
            coming = Upload.objects.get(pk=described).parts_done
            _send(actor, described, coming + part, file)
    if what == "cut" and Upload.objects.get(pk=described).state != Upload.State.DONE:
        left_claimed()


def _send(actor: Actor, described: str, part: int, file: bytes) -> None:
    body = [file[max(part, 0) * CHUNK_BYTES :][:CHUNK_BYTES]]
    upload_parts.receive_part(actor=actor, upload_id=described, part=part, stream=body)


def _finish_after_all(actor: Actor, described: str) -> None:
    """Check that the upload can still be discarded, or be whole at last, whatever happened."""
    view: Any = uploads.get_upload(actor=actor, upload_id=described)
    if view.state != "done":
        uploads.discard_upload(actor=actor, upload_id=described)
    assert not Upload.objects.filter(pk=described).exclude(state=Upload.State.DONE).exists()
