"""manage.py move_store, from the folder to a real node and back: complete, whatever happens meanwhile."""

import os
import signal
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import DjangoDbBlocker

from records.content import delete_envelopes, settle_blobs, store
from records.holdings import put_held
from records.models import Blob, Holding, Version
from records.storage import Blob as StoredBlob
from records.storage import Cid, IpfsStore, LocalStore, Store
from records.storage.base import Before, Stored
from tests.chain_node import ChainNode, fresh_person
from tests.faults.databases import Database, drop_databases, make_databases
from tests.faults.processes import Child
from tests.kubo.node import KuboNode, require_kubo
from tests.people import make_patient
from tests.records.conftest import upload
from tests.records.ended import keep_ended_envelope

pytestmark = pytest.mark.kubo

MIB = 1 << 20


@pytest.fixture(scope="module")
def kubo() -> Iterator[KuboNode]:
    """A running node."""
    with KuboNode(require_kubo()) as node:
        yield node


def put(size: int) -> Cid:
    return put_held(store(), [os.urandom(size)], record="0x01").cid


def run(source: str, target: str, *more: str) -> str:
    said = StringIO()
    call_command("move_store", f"--from={source}", f"--to={target}", *more, stdout=said, stderr=StringIO())
    return said.getvalue()


def whole(files: Store, cid: Cid) -> bool:
    with files.open(cid) as blob:
        return sum(len(piece) for piece in blob) == blob.size and files.keeps(cid)


@pytest.mark.django_db
def test_there_and_back(kubo: KuboNode, tmp_path: Path) -> None:
    cids = [put(size) for size in (0, 5, MIB, 2 * MIB + 1)]
    foreign = IpfsStore(kubo.url).put([b"another portal's"]).cid
    assert run("local", kubo.url).startswith("4 copied (3.0 MiB), 0 were there")
    assert all(whole(IpfsStore(kubo.url), cid) for cid in cids)
    assert run("local", kubo.url).startswith("0 copied (0.0 MiB), 4 were there")
    assert run(kubo.url, str(tmp_path / "back")).startswith("4 copied")
    back = LocalStore(tmp_path / "back")
    assert all(whole(back, cid) for cid in cids)
    assert not back.has(foreign)
    assert all(whole(store(), cid) for cid in cids)  # nothing was deleted


@pytest.mark.django_db
def test_deleting_leaves_what_another_portal_has_put_on_the_same_node(
    kubo: KuboNode, chain: ChainNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records are on the chain, so their versions are in this portal's tables, too."""
    monkeypatch.setattr(settings, "IPFS_API_URL", kubo.url)
    node, others = IpfsStore(kubo.url), fresh_person()
    theirs = [node.put([os.urandom(size)]).cid for size in (700, 2 * MIB, 900, 1200)]
    for content, description in ((theirs[0], theirs[2]), (theirs[1], theirs[3])):
        flags = int(content.dag_pb)
        chain.new_record(others, content=content.digest, description=description.digest, flags=flags)
    ours = upload(make_patient()).record
    chain.settle()
    settle_blobs()
    mine = {cid for cid in node.kept() if Holding.objects.filter(pk=cid.hex).exists()}
    assert Version.objects.filter(record=ours).exists()
    assert Version.objects.filter(record__patient=others.address).count() == 2

    back = tmp_path / "back"
    run(kubo.url, str(back))
    monkeypatch.setattr(settings, "IPFS_API_URL", "")
    monkeypatch.setattr(settings, "STORE_PATH", back)
    assert "deleted from the old store" in run(kubo.url, str(back), "--delete")
    assert all(whole(node, cid) for cid in theirs)
    assert not any(node.keeps(cid) for cid in mine)
    assert all(whole(LocalStore(back), cid) for cid in mine)
    assert not any(LocalStore(back).has(cid) for cid in theirs)


@pytest.mark.django_db
def test_an_envelope_that_another_portal_has_put_on_the_same_node_stays_there(
    kubo: KuboNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was opened here, so its copy in SQL goes. The other portal erases its own."""
    monkeypatch.setattr(settings, "IPFS_API_URL", kubo.url)
    node, data = IpfsStore(kubo.url), os.urandom(300)
    theirs = node.put([data]).cid
    assert keep_ended_envelope(data) == theirs.hex
    Blob.objects.filter(pk=theirs.hex).update(state=Blob.State.STORED)
    delete_envelopes([theirs.hex])
    settle_blobs()
    assert whole(node, theirs)
    assert not Blob.objects.filter(pk=theirs.hex).exists()


@pytest.mark.django_db
def test_what_is_put_or_erased_meanwhile(kubo: KuboNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put after the list was made: the second run has it. Erased: it is not there, not even for a while."""
    first = put(9)
    envelope = keep_ended_envelope(os.urandom(300))
    copied_and_erased = keep_ended_envelope(os.urandom(300))
    settle_blobs()
    late: list[Cid] = []
    putting = IpfsStore.put

    def meanwhile(self: IpfsStore, stream: Iterable[bytes], *, before: Before | None = None) -> Stored:
        stored = putting(self, stream, before=before)
        if not late:
            late.append(put(11))
        if stored.cid.hex == envelope:
            delete_envelopes([envelope])
            settle_blobs()
        return stored

    with monkeypatch.context() as racing:
        racing.setattr(IpfsStore, "put", meanwhile)
        run("local", kubo.url)
    node = IpfsStore(kubo.url)
    assert not node.has(Cid.from_digest(envelope))
    assert node.has(Cid.from_digest(copied_and_erased))
    delete_envelopes([copied_and_erased])
    settle_blobs()
    monkeypatch.setattr(settings, "IPFS_API_URL", kubo.url)
    run("local", "ipfs")
    assert not node.has(Cid.from_digest(copied_and_erased))
    assert whole(node, first)
    assert whole(node, late[0])


@pytest.mark.django_db
def test_what_is_erased_in_the_new_store_does_not_come_back_from_the_old_one(
    kubo: KuboNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelope = keep_ended_envelope(os.urandom(300))
    settle_blobs()
    run("local", kubo.url)
    monkeypatch.setattr(settings, "IPFS_API_URL", kubo.url)
    delete_envelopes([envelope])
    settle_blobs()
    assert "1 left out as erased" in run("local", "ipfs")
    assert not store().has(Cid.from_digest(envelope))


@pytest.mark.django_db
def test_deleting_waits_until_the_new_store_is_used_and_whole(
    kubo: KuboNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    cids, old = [put(5), put(2 * MIB)], store()
    with pytest.raises(CommandError, match="does not use the new store yet"):
        run("local", kubo.url, "--delete")
    run("local", kubo.url)
    monkeypatch.setattr(settings, "IPFS_API_URL", kubo.url)
    node = IpfsStore(kubo.url)
    leaf = next(iter(node._blocks(cids[1])))
    kubo.ask(f"pin/rm?arg={cids[1]}")
    node._node.erase([leaf])
    with old.open(cids[1]) as blob, monkeypatch.context() as believing:
        believing.setattr(IpfsStore, "keeps", lambda *_: True)
        believing.setattr(IpfsStore, "stat", lambda *_: blob.size)
        with pytest.raises(CommandError, match="not whole in its new place"):
            run("local", "ipfs", "--delete")
    assert old.has(cids[1])
    assert "deleted from the old store" in run("local", "ipfs", "--delete")
    assert list(old.kept()) == []
    assert all(whole(node, cid) for cid in cids)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("local", "local", "the same"),
        ("local", "ipfs", "IPFS_API_URL is not set"),
        ("local", "http://127.0.0.1:5001/api", "looks like"),
        ("local", "http://127.0.0.1:9", "does not answer"),
    ],
)
def test_what_cannot_be_done_is_said(source: str, target: str, words: str) -> None:
    put(5)
    with pytest.raises(CommandError, match=words):
        run(source, target)


@pytest.mark.django_db
def test_a_damaged_file_is_named_and_the_rest_is_copied(kubo: KuboNode) -> None:
    good, bad = put(5), put(6)
    next(path for path in settings.STORE_PATH.rglob(str(bad))).write_bytes(b"other!")
    with pytest.raises(CommandError, match=str(bad)):
        run("local", kubo.url)
    assert whole(IpfsStore(kubo.url), good)
    assert not IpfsStore(kubo.url).has(bad)


@pytest.mark.parametrize("way", ["to the node", "to the folder"])
def test_killed_in_the_middle_and_run_again_it_is_complete(
    kubo: KuboNode,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
    way: str,
) -> None:
    folder, node = LocalStore(tmp_path / "store"), IpfsStore(kubo.url)
    source, target = (folder, node) if way == "to the node" else (node, folder)
    names = [str(tmp_path / "store"), kubo.url][:: 1 if way == "to the node" else -1]
    cids = {source.put([os.urandom(MIB)] * 8).cid for _ in range(6)}
    with django_db_blocker.unblock():
        databases = make_databases(tmp_path, template=tmp_path_factory.getbasetemp() / "migrated.sqlite3")
        try:
            Child(note, databases[0], sorted(cid.hex for cid in cids)).wait(30)
            Child(move_and_die, databases[0], *names).wait_killed(60, "the middle of a put")
            there = {cid for cid in cids if target.keeps(cid)}
            assert len(there) == 2
            assert all(whole(target, cid) for cid in there)
            Child(move, databases[0], *names).wait(60)
        finally:
            drop_databases(*databases)
    assert all(whole(target, cid) and whole(source, cid) for cid in cids)
    for cid in cids:
        node.unpin(cid)


def note(database: Database, digests: list[str]) -> None:
    database.use()
    Holding.objects.bulk_create(Holding(digest=digest, dag_pb=True, record="0x01") for digest in digests)


def move_and_die(database: Database, source: str, target: str) -> None:
    """Killed while the third content is on its way."""
    begun: list[object] = []

    def reading(blob: StoredBlob) -> Iterator[bytes]:
        begun.append(blob)
        for index in range(8):
            if index == 4 and len(begun) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            yield blob._leaf(index)

    StoredBlob.__iter__ = reading  # type: ignore[method-assign]
    move(database, source, target)


def move(database: Database, source: str, target: str) -> None:
    database.use()
    run(source, target)
