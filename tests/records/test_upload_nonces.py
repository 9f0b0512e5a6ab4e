"""Whatever is cut, killed, sent twice or changed: one payload key and counter encrypt one plaintext."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from accounts.actor import Actor
from records.content import staging
from records.crypto.mdr1 import CHUNK_BYTES
from records.crypto.parts import PartEncryptor
from records.errors import RecordsError
from records.models import Upload
from records.services import upload_parts, uploads
from tests.records.test_upload_parts import Killed, digest_of, kill_at, left_claimed
from tests.records.test_uploads import describe

pytestmark = pytest.mark.django_db

SIZE = 2 * CHUNK_BYTES + 10
FILES = [b"%PDF-1.7\n" + bytes([number]) * (SIZE - 9) for number in range(3)]
POINTS = ["begin_part", "write_part", "complete_part"]

STEP = st.tuples(
    st.sampled_from(["send", "cut", "send", "cut", "lose", "finish"]),
    st.sampled_from([0, 0, 0, -1, 1]),  # which part: that which comes next, or one beside it
    st.integers(0, 2),  # of which file
    st.sampled_from(POINTS),
    st.booleans(),  # killed before or after it
)


@pytest.fixture
def _small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "UPLOAD_PART_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(settings, "UPLOAD_STAGING_PATH", tmp_path / "staging")


@pytest.fixture
def encrypted(monkeypatch: pytest.MonkeyPatch) -> set[tuple[bytes, int, bytes]]:
    """(commitment of the key, part, plaintext) of everything that was encrypted."""
    found: set[tuple[bytes, int, bytes]] = set()
    real = PartEncryptor.encrypt

    def noted(self: PartEncryptor, index: int, plain: bytes | bytearray) -> Iterator[bytes]:
        found.add((self._commitment, index, bytes(plain)))
        return real(self, index, plain)

    monkeypatch.setattr(PartEncryptor, "encrypt", noted)
    return found


@budget(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=14))
@pytest.mark.usefixtures("_small_parts")
def test_one_key_and_counter_encrypt_one_plaintext(
    patient: Actor, encrypted: set[tuple[bytes, int, bytes]], steps: list[tuple[str, int, int, str, bool]]
) -> None:
    described = describe(patient, size=SIZE)
    for what, part, file, point, after in steps:
        _do(patient, described, what, part, FILES[file], point, after=after)
    places = [(key, part) for key, part, _ in encrypted]
    assert len(places) == len(set(places))
    _finish_after_all(patient, described)


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
    """Nothing that happened keeps the upload from being discarded, or from being whole at last."""
    view: Any = uploads.get_upload(actor=actor, upload_id=described)
    if view.state != "done":
        uploads.discard_upload(actor=actor, upload_id=described)
    assert not Upload.objects.filter(pk=described).exclude(state=Upload.State.DONE).exists()
