"""Downloads: whole and in part, known ones, names, and who is told of a look."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as some

from accounts.actor import Actor
from records.crypto.description import Description
from records.crypto.mdr1 import CHUNK_BYTES
from records.downloads import attachment
from records.errors import RecordDamaged
from records.models import ViewLog
from records.services.file_names import NAME_BYTES_MAX, safe_name
from records.services.ranges import Span, Unsatisfiable, is_known, requested_span
from records.services.registering import Received
from records.services.registering import _describe as describe
from tests import policies
from tests.chain_node import ChainNode
from tests.records.conftest import Clinic, grant, upload
from tests.records.test_api import Api

DATA = b"%PDF-1.7\n" + bytes(index % 251 for index in range(199_991))  # four chunks
ETAG = '"now"'


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("Bytes= 10-19 ", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=90-", (90, 100)),
        ("bytes=-7", (93, 100)),
        ("bytes=-700", (0, 100)),
        ("", None),
        ("bytes=-", None),
        ("bytes=20-10", None),
        ("bytes=1-2,4-5", None),
        ("bytes=²-3", None),
        ("bytes=" + "9" * 5000 + "-", None),
        ("lines=1-2", None),
        ("1-2", None),
    ],
)
def test_what_a_range_asks_for(asked: str, span: tuple[int, int] | None) -> None:
    expected = Span(*span, 100) if span else None
    assert requested_span({"Range": asked}, size=100, etag=ETAG) == expected


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_with_nothing_in_it_cannot_be_satisfied(asked: str) -> None:
    with pytest.raises(Unsatisfiable):
        requested_span({"Range": asked}, size=100, etag=ETAG)


@pytest.mark.parametrize(
    ("if_range", "part"),
    [(ETAG, True), ('"then"', False), ('W/"now"', False), ("Wed, 21 Oct 2015 07:28:00 GMT", False)],
)
def test_a_part_of_another_file_than_before_is_the_whole(if_range: str, part: bool) -> None:
    asked = {"Range": "bytes=1-2", "If-Range": if_range}
    assert (requested_span(asked, size=100, etag=ETAG) is not None) is part


@pytest.mark.parametrize(
    ("named", "known"),
    [('"now"', True), ('"then", W/"now"', True), ("*", True), ('"then"', False), ("now", False), ("", False)],
)
def test_what_the_client_has_already(named: str, known: bool) -> None:
    assert is_known({"If-None-Match": named}, ETAG) is known


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\r\nSet-Cookie: x.pdf", "a Set-Cookie_ x.pdf"),
        ('say "aah".txt', "say _aah_.txt"),
        ("CON", "CON_"),
        ("lpt1.txt", "lpt1_.txt"),
        ("x-ray\u202efdp.exe", "x-ray fdp.exe"),
        ("résultat 血液.pdf", "résultat 血液.pdf"),
        ("e\u0301.pdf", "é.pdf"),
        ("\u0645\u06cc\u200c\u062e.pdf", "\u0645\u06cc\u200c\u062e.pdf"),
        ("trailing. . ", "trailing"),
        ("..", "file"),
        ("\ud800", "file"),
        ("", "file"),
    ],
)
def test_names_are_safe_everywhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(some.text(max_size=400))
def test_any_name_becomes_a_header_and_a_file(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= NAME_BYTES_MAX
    assert not set(safe) & set('/\\:*?"<>|\r\n\0')
    assert safe == safe.strip(" .")
    assert safe_name(safe) == safe
    assert attachment(name).isprintable()


def test_no_browser_reads_another_name_out_of_percent_signs() -> None:
    """Chromium decodes them in a plain `filename`: x.%62at was saved as x.bat."""
    assert attachment("x.%62at") == "attachment; filename*=utf-8''x.%2562at"
    assert attachment("50% iron.pdf") == "attachment; filename*=utf-8''50%25%20iron.pdf"


def test_a_long_name_keeps_its_extension() -> None:
    assert safe_name("é" * 300 + ".pdf") == "é" * 87 + ".pdf"


@pytest.fixture
def ada(chain: ChainNode, patient: Actor) -> tuple[Api, str]:
    """The patient's API, and the path of a confirmed record's content."""
    record = upload(patient, data=DATA).record
    chain.settle()
    return Api(patient), f"records/{record}/content"


def fetch(api: Api, path: str, method: str = "get", **headers: str) -> Any:
    """The answer to a request with these headers. Names as Python writes them."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return getattr(api.client, method)(f"/api/v1/{path}", headers=api.headers | more)


def body(answer: Any) -> bytes:
    """The whole of a streamed answer."""
    pieces: Iterator[bytes] = answer.streaming_content
    return b"".join(pieces)


def _with_another_digest(draft: dict[str, object], received: Received) -> Description:
    return replace(describe(draft, received), sha256=bytes(32))


@pytest.mark.django_db
class TestOverHttp:
    """One record of 200,000 bytes."""

    def test_the_whole(self, ada: tuple[Api, str]) -> None:
        answer = fetch(*ada, accept="application/pdf")
        assert (answer.status_code, body(answer)) == (200, DATA)
        assert answer["Content-Length"] == "200000"
        assert answer["Content-Type"] == "application/pdf"
        assert answer["Accept-Ranges"] == "bytes"
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert policies.directives(answer["Content-Security-Policy"]) == policies.FILE
        assert answer["X-Accel-Buffering"] == "no"
        assert answer["Content-Disposition"] == 'attachment; filename="report.pdf"'

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [("70000-70009", 70000, 70010), ("65535-131072", 65535, 131073), ("-5", 199995, 200000)],
    )
    def test_a_part(self, ada: tuple[Api, str], asked: str, start: int, end: int) -> None:
        answer = fetch(*ada, range=f"bytes={asked}")
        assert (answer.status_code, body(answer)) == (206, DATA[start:end])
        assert answer["Content-Length"] == str(end - start)
        assert answer["Content-Range"] == f"bytes {start}-{end - 1}/200000"

    def test_a_download_goes_on_where_it_stopped(self, ada: tuple[Api, str]) -> None:
        begun = fetch(*ada, range="bytes=0-99999")
        rest = fetch(*ada, range="bytes=100000-", if_range=begun["ETag"])
        assert body(begun) + body(rest) == DATA
        other = fetch(*ada, range="bytes=100000-", if_range='"another"')
        assert (other.status_code, body(other)) == (200, DATA)

    def test_beyond_the_end(self, ada: tuple[Api, str]) -> None:
        answer = fetch(*ada, range="bytes=200000-")
        assert (answer.status_code, answer.content) == (416, b"")
        assert answer["Content-Range"] == "bytes */200000"

    def test_head_says_the_same_and_gives_nothing(self, ada: tuple[Api, str]) -> None:
        answer, whole = fetch(*ada, method="head", range="bytes=5-9"), fetch(*ada)
        assert (answer.status_code, answer.content) == (200, b"")
        for name in ("Content-Length", "Content-Type", "Content-Disposition", "ETag", "Accept-Ranges"):
            assert answer[name] == whole[name], name

    def test_what_is_known_is_not_sent_again(self, ada: tuple[Api, str], chain: ChainNode) -> None:
        api, path = ada
        etag = fetch(api, path)["ETag"]
        again = fetch(api, path, if_none_match=etag)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        api.client.patch(
            f"/api/v1/{path.removesuffix('/content')}",
            {"title": "Mended", "kind": "11502-2", "service_date": None},
            headers=api.headers,
            content_type="application/json",
        )
        chain.settle()
        assert fetch(api, path, if_none_match=etag).status_code == 200

    def test_what_another_portal_wrote_makes_no_header_of_its_own(
        self, patient: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as unchecked:
            hostile = "text/html\r\nX: y"
            unchecked.setattr("records.services.uploads.check_file", lambda **_: ("a\r\nX: y", hostile))
            unchecked.setattr("records.services.inspecting.check_type", lambda *_, **__: hostile)
            record = upload(patient, data=DATA).record
        answer = fetch(Api(patient), f"records/{record}/content")
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"] == 'attachment; filename="a X_ y"'

    @pytest.mark.parametrize("data", [DATA[:100], DATA], ids=["one chunk", "four chunks"])
    def test_what_is_not_the_file_described_is_never_whole(
        self, patient: Actor, chain: ChainNode, monkeypatch: pytest.MonkeyPatch, data: bytes
    ) -> None:
        with monkeypatch.context() as lying:
            lying.setattr("records.services.registering._describe", _with_another_digest)
            record = upload(patient, data=data).record
        chain.settle()
        answer = fetch(Api(patient), f"records/{record}/content")
        if len(data) <= CHUNK_BYTES:
            assert (answer.status_code, data in answer.content) == (422, False)
        else:
            taken: list[bytes] = []
            with pytest.raises(RecordDamaged, match="not the one that this record describes"):
                taken.extend(answer.streaming_content)
            assert b"".join(taken) == data[: len(data) // CHUNK_BYTES * CHUNK_BYTES]


@pytest.mark.django_db
class TestLooks:
    """What the patient reads of what a doctor opens."""

    @pytest.fixture
    def dana(self, ada: tuple[Api, str], chain: ChainNode, patient: Actor, clinic: Clinic) -> tuple[Api, str]:
        """The doctor's API, who holds a grant of the folder."""
        grant(patient, clinic.doctor.address, clinic.via)
        chain.settle()
        return Api(clinic.doctor), ada[1]

    def test_one_opening_is_one_line(self, dana: tuple[Api, str]) -> None:
        for asked in ("bytes=0-999", "bytes=1000-1999", "bytes=-10"):
            assert fetch(*dana, range=asked).status_code == 206
        assert ViewLog.objects.filter(what="content").count() == 1
        fetch(*dana)
        assert ViewLog.objects.filter(what="content").count() == 2

    def test_no_byte_is_read_unseen(self, dana: tuple[Api, str]) -> None:
        fetch(*dana, range="bytes=100000-100001")
        assert ViewLog.objects.filter(what="content").count() == 1
        ViewLog.objects.update(at=timezone.now() - timedelta(minutes=11))
        fetch(*dana, range="bytes=100002-100003")
        assert ViewLog.objects.filter(what="content").count() == 2

    def test_what_gives_no_byte_is_no_look(self, dana: tuple[Api, str], ada: tuple[Api, str]) -> None:
        etag = fetch(*ada)["ETag"]
        assert fetch(*dana, if_none_match=etag).status_code == 304
        assert fetch(*dana, range="bytes=999999-").status_code == 416
        assert fetch(*dana, method="head").status_code == 200
        assert not ViewLog.objects.exists()

    def test_without_access_nothing_is_told(self, ada: tuple[Api, str], clinic: Clinic) -> None:
        etag = fetch(*ada)["ETag"]
        dana = Api(clinic.doctor)
        for headers in ({"if_none_match": etag}, {"range": "bytes=0-1"}, {"if_none_match": "*"}):
            for method in ("get", "head"):
                answer = fetch(dana, ada[1], method, **headers)
                assert answer.status_code == 404
                assert "ETag" not in answer
