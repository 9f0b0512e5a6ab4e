"""Two portals, each with a node of its own: a worker fetches what the other one keeps, a page never does."""

import json
import os
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import ipfshttpclient
import pytest
import requests
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import User
from chain.models import EventDigest
from records.arrivals import LARGE, NO_ROOM, WantedFile, want_files
from records.chain_words import word
from records.content import read_blobs, store
from records.erasing import erase_given_up, is_own
from records.errors import NotArrived, RecordDamaged, StoreDown
from records.models import Fetch, Holding, Version
from records.readability import Readability
from records.services import consent, documents, fetching, inbox, limits, reading
from records.services.wanting import compare_files
from records.storage import Cid, IpfsStore, LocalStore
from records.storage.errors import ContentUnfinished
from records.storage.ipfs import links_of
from records.storage.node import ADD_OPTIONS
from records.storage.peers import PeerNode
from records.tasks import fetch_files
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.kubo.node import KuboNode, require_kubo
from tests.records.conftest import FILE, Clinic, upload
from tests.records.portal_b import PortalB
from tests.records.test_api import Api
from tests.records.test_requests import ask

pytestmark = [pytest.mark.kubo, pytest.mark.django_db]

LETTER = b"%PDF- a letter from portal B" * 60_000  # two leaves
READS = ("/cat", "/block/get", "/block/stat", "/pin/add", "/dag/", "/get", "/ls", "/refs")
PAGES = ("/", "/records/", "/inbox/", "/history/", "/records/observations/", "/records/export/", "/sharing/")
LISTS = ("records", "history", "requests", "grants", "observations", "folders", "patients")


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[KuboNode, KuboNode]]:
    """The node of this portal and that of portal B, each of which may be the other's peer."""
    binary = require_kubo()
    with KuboNode(binary, peers=True) as here, KuboNode(binary, peers=True) as there:
        yield here, there


@pytest.fixture
def nodes(
    pair: tuple[KuboNode, KuboNode], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[KuboNode, KuboNode]]:
    """The two, connected. This portal's store is the first."""
    here, there = pair
    monkeypatch.setattr(settings, "IPFS_API_URL", here.url)
    monkeypatch.setattr(fetching, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(fetching, "LATER_WAIT", 1.0)
    here.connect(there)
    yield pair
    if not there.is_running:
        there.start()


@pytest.fixture
def portal_b(chain: ChainNode, nodes: tuple[KuboNode, KuboNode]) -> PortalB:
    """Portal B."""
    return PortalB(chain, nodes[1].url)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the questions to a node that would have it ask its peers, as paths in order."""
    asked: list[str] = []
    send = requests.Session.send

    def watch(session: requests.Session, request: requests.PreparedRequest, **more: object) -> object:
        url = urlsplit(request.url or "")
        if any(part in url.path for part in READS) and parse_qs(url.query).get("offline") != ["true"]:
            asked.append(url.path)
        return send(session, request, **more)

    monkeypatch.setattr(requests.Session, "send", watch)
    return asked


@contextmanager
def hanging(node: KuboNode) -> Iterator[None]:
    """Stop all threads of a node, whose connections stay."""
    os.kill(node.pid, signal.SIGSTOP)
    os.waitpid(node.pid, os.WUNTRACED)
    try:
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


def fetch_all() -> int:
    """Rounds, until nothing more comes."""
    done = 0
    while came := fetch_files():
        done += came
    return done


def later() -> None:
    """Make due the fetches that were put off."""
    Fetch.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def titles(actor: Actor, patient: str) -> set[str]:
    return {view.title for view in documents.list_records(actor=actor, patient=patient)}


def content_of(actor: Actor, record: str) -> bytes:
    opened = reading.open_content(actor=actor, record=record)
    return b"".join(opened.iterate(0, opened.size))


@pytest.mark.parametrize("stopped", [True, False])
def test_a_portal_that_is_away_costs_its_own_records_and_no_page(
    chain: ChainNode,
    patient: Actor,
    clinic: Clinic,
    nodes: tuple[KuboNode, KuboNode],
    portal_b: PortalB,
    questions: list[str],
    stopped: bool,
) -> None:
    _, there = nodes
    own = upload(patient, title="My own")
    chain.settle()
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Left", data=LETTER)
    ada, browser = Api(patient), sign_in(User.objects.get(pk=patient.user.pk))

    def check_everything_else_is_there() -> None:
        questions.clear()
        for page in PAGES:
            assert browser.get(page).status_code == 200, page
        for path in LISTS:
            assert ada.get(path).status_code == 200, path
        lines = {line["id"]: line for line in ada.get("records").json()}
        assert lines[own.record]["title"] == "My own"
        assert lines[left]["readability"] == "not arrived"
        assert ada.get(f"records/{own.record}/content").status_code == 200
        refused = ada.get(f"records/{left}/content")
        assert (refused.status_code, refused["Retry-After"]) == (503, "60")
        assert "has not arrived here yet" in refused.json()["error"]
        assert browser.get(f"/records/{left}/").status_code == 200
        index = export_index(ada)
        assert {line["problem"] for line in index["versions"] if line["record"] == left} == {
            Readability.NOT_ARRIVED.problem
        }
        assert not questions

    if stopped:
        there.stop()
        check_everything_else_is_there()
        assert fetch_all() == 0
        check_everything_else_is_there()
    else:
        with hanging(there):
            check_everything_else_is_there()
            assert fetch_all() == 0
            check_everything_else_is_there()

    come_back(nodes)
    assert fetch_all() >= 4  # description, content, list, envelope
    assert questions  # the worker's
    assert titles(patient, patient.address) == {"My own", "Left"}
    assert content_of(patient, left) == LETTER


def export_index(api: Api) -> dict[str, list[dict[str, str]]]:
    answer = api.get("export")
    archive = zipfile.ZipFile(BytesIO(b"".join(answer.streaming_content)))
    index: dict[str, list[dict[str, str]]] = json.loads(archive.read("index.json"))
    return index


def come_back(nodes: tuple[KuboNode, KuboNode]) -> None:
    """The other node runs again, and what was put off is due."""
    here, there = nodes
    if not there.is_running:
        there.start()
    here.connect(there)
    later()


def test_an_absent_author_takes_one_turn_and_holds_up_nobody(
    patient: Actor, clinic: Clinic, portal_b: PortalB
) -> None:
    """Files of nothing by one author, a hundred. Then one file of another who is there."""
    nothing = [wanted(number, author="0xNobody") for number in range(100)]
    want_files(nothing)
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Left")
    assert fetch_files() >= 3
    assert Fetch.objects.filter(author="0xNobody", tries=1).count() == 100
    fetch_all()
    assert content_of(patient, left) == FILE
    assert not Fetch.objects.filter(author="0xNobody", due_at__lte=timezone.now())


def test_one_file_that_is_nowhere_hides_no_other_of_its_author(
    patient: Actor, clinic: Clinic, portal_b: PortalB
) -> None:
    want_files([wanted(1, author=clinic.doctor.address)])
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Left")
    fetch_files()  # the file of nothing ends the author's turn
    later_but_last()
    assert fetch_all() >= 4
    assert content_of(patient, left) == FILE


def test_what_came_is_kept_here_when_the_other_portal_erases_it(
    patient: Actor, clinic: Clinic, nodes: tuple[KuboNode, KuboNode], portal_b: PortalB
) -> None:
    here, there = nodes
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER, title="Left")
    fetch_all()
    for row in Fetch.objects.all():
        assert row.state == Fetch.State.HERE
        assert Holding.objects.filter(pk=row.pk, state=Holding.State.KEPT).exists()
        assert IpfsStore(here.url).keeps(Cid.from_digest(row.pk, dag_pb=row.dag_pb))
    there.stop()
    here.ask("repo/gc")
    assert content_of(patient, left) == LETTER
    counted = Holding.objects.filter(record=left).values_list("size", flat=True)
    assert sum(size or 0 for size in counted) > len(LETTER)


def test_a_content_that_came_in_part_is_not_opened(
    patient: Actor, clinic: Clinic, nodes: tuple[KuboNode, KuboNode], portal_b: PortalB
) -> None:
    """The node has the root and the first leaf, as after a fetch that broke off."""
    here, there = nodes
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER, title="Left")
    row = Fetch.objects.get(kind=Fetch.Kind.CONTENT)
    cid = Cid.from_digest(row.pk, dag_pb=True)
    here.ask(f"block/get?arg={cid}")
    first = links_of(cid, IpfsStore(here.url)._node.block(cid))[0]
    here.ask(f"block/get?arg={Cid(first.digest)}")
    there.stop()
    fetch_all()
    with pytest.raises(StoreDown):
        content_of(patient, left)
    come_back(nodes)
    fetch_all()
    assert content_of(patient, left) == LETTER


def test_a_large_file_of_the_inbox_comes_when_it_is_opened(
    patient: Actor,
    clinic: Clinic,
    portal_b: PortalB,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "UNASKED_FILE", 1000)
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER, title="Left")
    fetch_all()
    row = Fetch.objects.get(kind=Fetch.Kind.CONTENT)
    assert (row.state, row.error) == (Fetch.State.REFUSED, LARGE)
    assert titles(patient, patient.address) == {"Left"}
    with pytest.raises(NotArrived, match="try again in a minute"):
        content_of(patient, left)
    assert fetch_all() == 1
    assert content_of(patient, left) == LETTER


def test_a_large_file_comes_by_itself_once_its_patient_has_filed_it(
    chain: ChainNode,
    patient: Actor,
    clinic: Clinic,
    portal_b: PortalB,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "UNASKED_FILE", 1000)
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER, title="Left")
    fetch_all()
    inbox.file_record(actor=patient, record=left, folder=1)
    chain.settle()
    assert fetch_all() == 1
    assert content_of(patient, left) == LETTER


@pytest.mark.parametrize("limit", ["BYTES_PER_PATIENT", "INBOX_BYTES_PER_PATIENT", "BYTES_PER_SENDER"])
def test_strangers_fill_no_disk(
    patient: Actor, clinic: Clinic, portal_b: PortalB, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER, title="Left")
    with monkeypatch.context() as less:
        less.setattr(settings, "LIMITS", {**settings.LIMITS, limit: 100_000})
        fetch_all()
        row = Fetch.objects.get(kind=Fetch.Kind.CONTENT)
        assert (row.state, row.error) == (Fetch.State.REFUSED, NO_ROOM)
        assert titles(patient, patient.address) == {"Left"}
        with pytest.raises(NotArrived, match="no room"):
            content_of(patient, left)
    later()
    assert fetch_all() == 1
    assert content_of(patient, left) == LETTER


def test_beyond_so_many_files_a_day_a_sender_waits(
    patient: Actor, clinic: Clinic, portal_b: PortalB, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as less:
        less.setattr(settings, "LIMITS", {**settings.LIMITS, "FETCHES_PER_SENDER": 2})
        portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Left")
        assert fetch_all() == 2
    later()
    assert fetch_all() >= 1


def test_what_a_patient_elsewhere_shares_with_a_doctor_here(
    chain: ChainNode, patient: Actor, clinic: Clinic, nodes: tuple[KuboNode, KuboNode]
) -> None:
    _, there = nodes
    portal_b = PortalB(chain, there.url, patient)
    record = portal_b.write(patient, title="At B", data=LETTER)
    assert not Fetch.objects.exists()
    portal_b.share(patient, clinic)
    doctor = clinic.doctor
    there.stop()
    (view,) = documents.list_records(actor=doctor, patient=patient.address)
    assert view.readability is Readability.NOT_ARRIVED
    fetch_all()
    come_back(nodes)
    fetch_all()
    assert titles(doctor, patient.address) == {"At B"}
    with pytest.raises(NotArrived):  # anybody may share anything with anybody
        content_of(doctor, record)
    fetch_all()
    assert content_of(doctor, record) == LETTER
    newer = portal_b.write(patient, title="Newer")
    fetch_all()
    assert titles(doctor, patient.address) == {"At B", "Newer"}
    assert Fetch.objects.get(pk=Version.objects.get(record=newer).content).error == LARGE


def test_what_a_doctor_here_has_asked_for_comes_by_itself(
    chain: ChainNode, patient: Actor, clinic: Clinic, nodes: tuple[KuboNode, KuboNode]
) -> None:
    asked = ask(clinic, patient.address)
    chain.settle()
    portal_b = PortalB(chain, nodes[1].url, patient)
    record = portal_b.write(patient, title="At B", data=LETTER)
    portal_b.share(patient, clinic, request=asked.id)
    fetch_all()
    assert content_of(clinic.doctor, record) == LETTER


def test_who_signs_up_here_with_records_elsewhere_gets_them(
    patient: Actor, clinic: Clinic, portal_b: PortalB
) -> None:
    """No event tells of it: the tables are compared."""
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Left")
    Fetch.objects.all().delete()  # the account was not here when the events came
    cache.clear()
    assert fetch_all() >= 4
    assert content_of(patient, left) == FILE


def test_a_request_from_elsewhere_waits_for_its_words(
    patient: Actor, clinic: Clinic, nodes: tuple[KuboNode, KuboNode], portal_b: PortalB
) -> None:
    _, there = nodes
    portal_b.ask(clinic, patient)
    there.stop()
    (asked,) = consent.requests_for(actor=patient)
    assert asked.readability is Readability.NOT_ARRIVED
    page = sign_in(User.objects.get(pk=patient.user.pk)).get("/").content.decode()
    assert "has not arrived here yet" in page
    come_back(nodes)
    fetch_all()
    (asked,) = consent.requests_for(actor=patient)
    assert asked.readability is Readability.READABLE


def test_two_portals_on_one_node_each_hold_it(
    chain: ChainNode, patient: Actor, clinic: Clinic, nodes: tuple[KuboNode, KuboNode]
) -> None:
    left = PortalB(chain, nodes[0].url).write(clinic.doctor, patient=patient.address, via=clinic.via)
    assert content_of(patient, left) == FILE  # it is here already
    fetch_all()
    assert Holding.objects.filter(record=left, state=Holding.State.KEPT).exists()
    fetched = list(Fetch.objects.values_list("pk", flat=True))
    assert len(fetched) >= 3  # the envelope was opened, and is in SQL
    assert not any(is_own(store(), digest) for digest in fetched)  # the pin is the other portal's, too
    content = Holding.objects.get(record=left)
    for table in (Version, EventDigest):
        table._default_manager.all().delete()
    content.state = Holding.State.ERASING
    content.save()
    assert erase_given_up(store(), content.pk)
    assert store().keeps(Cid.from_digest(content.pk))
    own = upload(patient)
    assert is_own(store(), Holding.objects.get(record=own.record).pk)


def test_a_folder_gets_files_through_a_further_node(
    patient: Actor,
    clinic: Clinic,
    nodes: tuple[KuboNode, KuboNode],
    portal_b: PortalB,
    questions: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "IPFS_API_URL", "")
    monkeypatch.setattr(settings, "IPFS_PIN_API_URLS", [nodes[0].url])
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER, title="Left")
    questions.clear()
    with pytest.raises(NotArrived):
        content_of(patient, left)
    assert not questions
    fetch_all()
    assert content_of(patient, left) == LETTER
    assert isinstance(store(), LocalStore)
    assert store().has(Cid.from_digest(Version.objects.get(record=left).content, dag_pb=True))


def test_what_is_no_file_of_the_format_is_damaged(
    patient: Actor, clinic: Clinic, nodes: tuple[KuboNode, KuboNode], portal_b: PortalB
) -> None:
    """A tree of another shape, and a description of two leaves."""
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Left")
    fetch_all()
    with ipfshttpclient.Client(f"/ip4/127.0.0.1/tcp/{nodes[1].port}/http") as client:
        other = Cid.parse(client.add_bytes(LETTER, opts={**ADD_OPTIONS, "chunker": "size-262144"}))
    Version.objects.filter(record=left).update(content=other.hex, flags=1)
    with pytest.raises(NotArrived):
        content_of(patient, left)
    fetch_all()
    with pytest.raises(RecordDamaged):
        content_of(patient, left)
    assert not Holding.objects.filter(pk=other.hex).exists()


def wanted(number: int, *, author: str) -> WantedFile:
    """A file of nothing."""
    return WantedFile(word(number + 2**200), Fetch.Kind.DESCRIPTION, patient="0xSomebody", author=author)


def later_but_last() -> None:
    """The pause is over: what did not come is still the last of its author's."""
    Fetch.objects.update(due_at=F("due_at") - timedelta(minutes=2))


@pytest.mark.parametrize("kind", [Fetch.Kind.LIST, Fetch.Kind.CONTENT])
@pytest.mark.parametrize("after", [False, True])
def test_who_names_a_digest_as_what_it_is_not_keeps_no_file_away(
    patient: Actor, clinic: Clinic, portal_b: PortalB, kind: Fetch.Kind, after: bool
) -> None:
    """A stranger names the root of a content as a single block, before its record is known here or after."""
    portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER, title="First")
    version = Version.objects.get()
    Fetch.objects.all().delete()
    bad = WantedFile(version.content, kind, "0xStranger", "0xStranger", "0xBad" if kind == "content" else "")
    cache.set("compare-files", 1)  # what the hourly look would mend
    if after:
        compare_files()
    want_files([bad])
    fetch_all()
    if kind == Fetch.Kind.LIST:
        assert Holding.objects.get(pk=version.content).dag_pb == after
    for _ in range(4):  # its description, list, envelope and content
        with suppress(StoreDown):
            content_of(patient, version.record_id)
        fetch_all()
    assert content_of(patient, version.record_id) == LETTER
    held = Holding.objects.get(pk=version.content)
    assert (held.dag_pb, held.record) == (True, version.record_id)


def test_a_file_that_takes_longer_than_a_round_goes_on_in_the_next(
    patient: Actor, clinic: Clinic, portal_b: PortalB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round has time for the root and one leaf."""
    left = portal_b.write(
        clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER * 2, title="Left"
    )
    cid = Cid.from_digest(Version.objects.get(record=left).content, dag_pb=True)
    fetch_block = PeerNode.fetch_block
    came: list[Cid] = []

    def count(node: PeerNode, block: Cid, seconds: float) -> bytes:
        if len(came) == 2:
            raise ContentUnfinished
        came.append(block)
        return fetch_block(node, block, seconds)

    monkeypatch.setattr(PeerNode, "fetch_block", count)
    Fetch.objects.exclude(pk=cid.hex).update(due_at=timezone.now() + timedelta(minutes=1))
    rounds = 0
    while not fetch_files():
        rounds, came[:] = rounds + 1, []
        assert rounds < 9
    assert rounds >= 2
    assert Fetch.objects.get(pk=cid.hex).state == Fetch.State.HERE


def test_an_unknown_failure_ends_no_round(
    patient: Actor, clinic: Clinic, portal_b: PortalB, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Left")
    digest = Version.objects.get(record=left).description
    fetch_block = PeerNode.fetch_block

    def fail(node: PeerNode, block: Cid, seconds: float) -> bytes:
        if block.hex == digest:
            raise RuntimeError("no one thought of this")
        return fetch_block(node, block, seconds)

    monkeypatch.setattr(PeerNode, "fetch_block", fail)
    assert fetch_all() >= 3


def test_pages_of_a_record_whose_file_alone_has_not_arrived(
    patient: Actor, clinic: Clinic, portal_b: PortalB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNASKED_FILE", 1000)
    left = portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, data=LETTER, title="Left")
    fetch_all()
    ada, browser = Api(patient), sign_in(User.objects.get(pk=patient.user.pk))
    page = browser.get(f"/records/{left}/")
    assert (page.status_code, "not arrived here yet" in page.content.decode()) == (200, True)
    for path in (f"/records/{left}/versions/1/file/", f"/records/{left}/versions/1/view/file/"):
        refused = browser.get(path)
        assert (refused.status_code, refused["Retry-After"]) == (503, "60")
        assert "try again in a minute" in refused.content.decode()
    looked = browser.get(f"/records/{left}/versions/1/view/")
    assert "try again in a minute" in looked.content.decode()
    (line,) = export_index(ada)["versions"]
    assert line["title"] == "Left"
    assert "has not arrived here yet" in line["problem"]
    fetch_all()
    assert browser.get(f"/records/{left}/versions/1/file/").status_code == 200
    assert content_of(patient, left) == LETTER
    (line,) = export_index(ada)["versions"]
    assert not line["problem"]


@pytest.mark.usefixtures("nodes")
def test_many_files_that_have_not_arrived_cost_a_page_no_more_than_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In statements; and what the worker has looked for, a page does not even ask the store for."""
    few = [wanted(number, author="0xNobody") for number in range(3)]
    many = [wanted(number, author="0xNobody") for number in range(100, 160)]
    counts = []
    for files in (few, many):
        for _ in range(2):
            with CaptureQueriesContext(connection) as statements:
                read = read_blobs(files)
            assert {type(problem) for problem in read.problems.values()} == {NotArrived}
            assert len(read.problems) == len(files)
            counts.append(len(statements))
    assert counts[:2] == counts[2:]
    fetch_files()
    monkeypatch.setattr(requests.Session, "send", None)
    assert len(read_blobs(few + many).problems) == 63


def test_what_a_worker_fetches_no_other_takes_unless_it_died_or_a_clock_stepped(
    patient: Actor, clinic: Clinic, portal_b: PortalB
) -> None:
    portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Left")
    now = timezone.now()
    Fetch.objects.update(claimed_at=now)
    assert fetch_files() == 0
    Fetch.objects.update(claimed_at=now - timedelta(minutes=6))
    assert fetch_files() >= 3
    portal_b.write(clinic.doctor, patient=patient.address, via=clinic.via, title="Later")
    ahead = now + timedelta(days=1)
    Fetch.objects.filter(state=Fetch.State.WANTED).update(claimed_at=ahead, due_at=ahead)
    assert fetch_files() >= 3
