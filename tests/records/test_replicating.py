"""Further copies on two real nodes that do not know each other: made, verified, given back, erased."""

import html
import secrets
import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.test import Client
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import User
from medrec.gauges import PortalCollector
from records.content import delete_envelopes, open_stored, settle_blobs, store
from records.erasing import erase_given_up
from records.holdings import put_held
from records.models import Holding, PinNode, Replica
from records.services import reading, replicating
from records.services.copies import with_storage
from records.services.documents import get_record
from records.services.replicating import replicate
from records.storage import Cid, IpfsStore
from tests.kubo.node import KuboNode, require_kubo
from tests.people import PASSWORD
from tests.records.conftest import FILE, upload
from tests.records.ended import keep_ended_envelope

pytestmark = [pytest.mark.kubo, pytest.mark.django_db]

MIB = 1 << 20
HELD, WANTED, LEAVING = Replica.State.HELD, Replica.State.WANTED, Replica.State.LEAVING


@pytest.fixture(scope="module")
def kubos() -> Iterator[tuple[KuboNode, KuboNode]]:
    """Two nodes, without peers. A test that stops one starts it again."""
    with KuboNode(require_kubo()) as one, KuboNode(require_kubo()) as other:
        yield one, other


@pytest.fixture
def nodes(
    kubos: tuple[KuboNode, KuboNode], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[KuboNode, KuboNode]]:
    """The two, as the further nodes of the settings."""
    monkeypatch.setattr(settings, "IPFS_PIN_API_URLS", [kubo.url for kubo in kubos])
    yield kubos
    for kubo in kubos:
        if not kubo.is_running:
            kubo.start()


def put(size: int = 2 * MIB + 1) -> Cid:
    return put_held(store(), [secrets.token_bytes(size)], record="0x" + secrets.token_hex(32)).cid


def states(cid: Cid) -> list[str]:
    return sorted(Replica.objects.filter(holding=cid.hex).values_list("state", flat=True))


def later() -> None:
    """Make due the copies that were put off."""
    Replica.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def lose(kubo: KuboNode, cid: Cid) -> None:
    IpfsStore(kubo.url).unpin(cid)


@pytest.mark.parametrize("size", [0, 5, 2 * MIB + 1])
def test_what_is_put_comes_onto_every_node(nodes: tuple[KuboNode, KuboNode], size: int) -> None:
    cid = put(size)
    assert replicate() == 2
    assert states(cid) == [HELD, HELD]
    assert all(IpfsStore(kubo.url).keeps(cid) for kubo in nodes)
    assert replicate() == 0


def test_a_node_that_is_down_gets_it_when_it_is_back(nodes: tuple[KuboNode, KuboNode]) -> None:
    nodes[1].stop()
    cid = put()
    replicate()
    assert states(cid) == [HELD, WANTED]
    down = PinNode.objects.get(address=nodes[1].url)
    assert down.failing_since is not None
    assert down.error
    nodes[1].start()
    replicate()
    assert states(cid) == [HELD, HELD]
    down.refresh_from_db()
    assert down.error == ""


@pytest.fixture
def hung(nodes: tuple[KuboNode, KuboNode], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a node that takes questions and never answers. It stands first in the settings."""
    monkeypatch.setattr("records.storage.node.ANSWER_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setattr(settings, "IPFS_PIN_API_URLS", [url, *(kubo.url for kubo in nodes)])
        yield url


def test_a_node_that_hangs_holds_nothing_up(hung: str) -> None:
    cid = put()
    began = time.monotonic()
    replicate()
    assert time.monotonic() - began < 30
    assert states(cid) == [HELD, HELD, WANTED]
    node = PinNode.objects.get(pk=hung)
    assert (node.failing_since is not None, node.error) == (True, "It does not answer.")
    settings.STORE_PATH.joinpath("objects", cid.digest[:1].hex(), str(cid)).unlink()
    with open_stored(cid) as blob:
        assert len(b"".join(blob)) == 2 * MIB + 1
    assert time.monotonic() - began < 30, "a node that failed is asked last"
    replicate()
    assert store().keeps(cid)


def test_while_one_thread_waits_for_a_node_others_pass_it_over(
    nodes: tuple[KuboNode, KuboNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    cid, asked, meanwhile = put(5), list[IpfsStore](), list[list[str]]()

    def slow(self: IpfsStore) -> None:
        asked.append(self)
        if len(asked) == 1:
            replicate()
            meanwhile.append(states(cid))

    with monkeypatch.context() as patched:
        patched.setattr(IpfsStore, "check", slow)
        replicate()
    assert meanwhile == [[HELD]], "the other node has it already"
    assert len({id(one) for one in asked[:2]}) == len(nodes)


def test_nodes_take_turns(nodes: tuple[KuboNode, KuboNode], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicating, "ROUND", timedelta(0))  # the first of a round takes all of it
    for _ in range(2):
        replicate()
    assert set(PinNode.objects.exclude(checked_at=None).values_list("pk", flat=True)) == {
        kubo.url for kubo in nodes
    }


def test_a_node_that_has_lost_a_content_gets_it_again(nodes: tuple[KuboNode, KuboNode]) -> None:
    cid = put()
    replicate()
    lose(nodes[0], cid)
    assert replicate() == 0  # it is verified in its time
    later()
    assert replicate() == 1
    assert IpfsStore(nodes[0].url).keeps(cid)


def test_what_is_only_pinned_no_more_is_pinned_again(nodes: tuple[KuboNode, KuboNode]) -> None:
    cid = put()
    replicate()
    nodes[0].ask(f"pin/rm?arg={cid}")
    later()
    replicate()
    assert IpfsStore(nodes[0].url).keeps(cid)


def test_what_is_erased_is_erased_on_every_node_on_one_that_is_down_later(
    nodes: tuple[KuboNode, KuboNode],
) -> None:
    digest = keep_ended_envelope(secrets.token_bytes(300))
    settle_blobs()
    replicate()
    cid = Cid.from_digest(digest)
    assert all(IpfsStore(kubo.url).keeps(cid) for kubo in nodes)
    nodes[1].stop()
    delete_envelopes([digest])
    settle_blobs()
    replicate()
    assert not store().has(cid)
    assert not IpfsStore(nodes[0].url).has(cid)
    assert states(cid) == [LEAVING]
    nodes[1].start()
    replicate()
    assert not IpfsStore(nodes[1].url).has(cid)
    assert states(cid) == []


def test_what_is_erased_while_it_is_copied_does_not_stay(
    nodes: tuple[KuboNode, KuboNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    cid = put(5)
    copying = IpfsStore.put

    def give_up_meanwhile(self: IpfsStore, stream: object, **more: object) -> object:
        Holding.objects.filter(pk=cid.hex).update(state=Holding.State.ERASING)
        erase_given_up(store(), cid.hex)
        Replica.objects.filter(holding=cid.hex).delete()  # another worker has erased it on the node
        return copying(self, stream, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as racing:
        racing.setattr(IpfsStore, "put", give_up_meanwhile)
        replicate()
    assert states(cid) == []
    assert not any(IpfsStore(kubo.url).has(cid) for kubo in nodes)


@pytest.mark.parametrize("damage", ["lost", "a leaf changed"])
@pytest.mark.usefixtures("nodes")
def test_a_read_falls_back_to_a_node_and_the_store_gets_it_again(patient: Actor, damage: str) -> None:
    record = upload(patient, data=FILE * 2000)
    cid = Cid.parse(record.versions[0].content)
    replicate()
    (path,) = (path for path in settings.STORE_PATH.rglob(str(cid)))
    if damage == "lost":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.seek(MIB + 7)
            file.write(b"?????")
    opened = reading.open_content(actor=patient, record=record.record)
    assert b"".join(opened.iterate(0, opened.size)) == FILE * 2000
    assert Holding.objects.get(pk=cid.hex).lost_since is not None
    assert with_storage(get_record(actor=patient, record=record.record)).storage.startswith(
        "Not found in the store"
    )
    assert replicate() > 0
    with store().open(cid) as blob:
        b"".join(blob)
    assert Holding.objects.get(pk=cid.hex).lost_since is None


@pytest.mark.usefixtures("nodes")
def test_what_the_store_lost_unnoticed_is_found_by_verifying() -> None:
    cid = put()
    replicate()
    store().unpin(cid)
    later()
    replicate()
    assert store().keeps(cid)


def test_the_record_says_where_it_is(nodes: tuple[KuboNode, KuboNode], patient: Actor) -> None:
    record = upload(patient).record

    def said() -> str:
        return with_storage(get_record(actor=patient, record=record)).storage

    assert said() == "Stored, replicated on 0 of 2 nodes"
    nodes[1].stop()
    replicate()
    assert said() == "Stored, replicated on 1 of 2 nodes"
    nodes[1].start()
    replicate()
    assert said() == "Replicated on 2 of 2 nodes"


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        (["http://node:5001", "nonsense"], "IPFS_PIN_API_URLS: number 2"),
        (["http://node:5001", "http://me:secret@node:5001/"], "IPFS_PIN_API_URLS names a node twice"),
        (["/ip4/127.0.0.1/tcp/5001/http", "http://127.0.0.1:5001"], "IPFS_PIN_API_URLS names a node twice"),
    ],
)
def test_a_bad_address_stops_the_start(urls: list[str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "IPFS_PIN_API_URLS", urls)
    (problem,) = run_checks(tags=["records"])
    assert words in problem.msg
    assert "secret" not in problem.msg


def test_the_admin_and_the_metrics_count_what_each_node_has(
    nodes: tuple[KuboNode, KuboNode], client: Client
) -> None:
    nodes[1].stop()
    cids = [put(5), put(7)]
    replicate()
    Holding.objects.filter(pk=cids[0].hex).update(lost_since=timezone.now())
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
    page = client.get("/admin/records/pinnode/").content.decode()
    assert all(kubo.url in page for kubo in nodes)
    assert PinNode.objects.get(address=nodes[1].url).error in html.unescape(page)
    counts = {node.address: (node.held, node.wanted) for node in PinNode.objects.counted()}
    assert counts == {nodes[0].url: (2, 0), nodes[1].url: (0, 2)}
    metrics = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in PortalCollector().collect()
        for sample in metric.samples
    }
    assert metrics["medrec_store_contents", "lost"] == 1
    assert metrics["medrec_store_copies", nodes[1].url, "wanted"] == 2
    assert metrics["medrec_store_node_failing", nodes[0].url] == 0
    assert metrics["medrec_store_node_failing", nodes[1].url] == 1
    assert metrics["medrec_store_copy_oldest_wanted_seconds", nodes[1].url] > 0
