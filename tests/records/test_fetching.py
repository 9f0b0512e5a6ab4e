"""Two portals, each with a node of its own: a worker fetches what the other one keeps, a page never does."""

import json
import os
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.conf import settings
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import User
from records.models import Fetch
from records.readability import Readability
from records.services import documents, fetching, reading
from records.services.fetching import fetch_files
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.kubo.node import KuboNode, require_kubo
from tests.records.conftest import Clinic, upload
from tests.records.portal_b import PortalB
from tests.records.test_api import Api

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
    """The two, connected; this portal's store is the first."""
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
    """Which questions to a node would have it ask its peers: their paths, in order."""
    asked: list[str] = []
    send = requests.Session.send

    def watch(session: requests.Session, request: requests.PreparedRequest, **more: object) -> object:
        url = urlsplit(request.url or "")
        if any(part in url.path for part in READS) and parse_qs(url.query).get("offline") != ["true"]:
            asked.append(url.path)
        return send(session, request, **more)  # type: ignore[arg-type]

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
    """What was put off is due."""
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
        lines = {line["record"]: line for line in ada.get("records").json()}
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
