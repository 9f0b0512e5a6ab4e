"""The Kubo node: down, hanging, lying; and that its answers are the profile's, whatever its settings."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator

import ipfshttpclient
import pytest

from records.storage import Cid, CidBuilder, IpfsStore, open_store
from records.storage import node as node_module
from records.storage.cid import root_of_leaves
from records.storage.errors import ContentCorrupt, ContentNotFound, StoreUnavailable
from records.storage.ipfs import IpfsBlob
from records.storage.local import LocalStore
from tests.kubo.node import KuboNode
from tests.retry_after import serve_busy

MIB = 1 << 20

pytestmark = pytest.mark.kubo


def tamper(kubo: KuboNode, block: bytes, other: bytes | None = None) -> None:
    """Change the file that holds this block in the node's repository; by default, flip a bit in it."""
    for path in (kubo.repository / "blocks").rglob("*.data"):
        if path.read_bytes() == block:
            path.chmod(0o600)
            path.write_bytes(other or bytes([block[0] ^ 1]) + block[1:])
            return
    raise AssertionError("the node has no such block")


@pytest.fixture
def stopped(kubo: KuboNode) -> Iterator[KuboNode]:
    """The node, to be stopped by the test. It runs again afterwards."""
    yield kubo
    kubo.stop()
    kubo.start()


def test_a_stopped_node_is_unavailable_and_serves_again_when_it_is_back(stopped: KuboNode) -> None:
    store = IpfsStore(stopped.url)
    data = os.urandom(3 * MIB)
    cid = store.put([data]).cid
    blob = store.open(cid)
    blob.read_at(0, 2 * MIB)  # reads in order now, as a stream
    stopped.stop()
    for work in (
        store.check,
        lambda: store.put([data]),
        lambda: store.open(cid),
        lambda: store.stat(cid),
        lambda: store.has(cid),
        lambda: store.pin(cid),
        lambda: store.unpin(cid),
    ):
        with pytest.raises(StoreUnavailable):
            work()
    stopped.start()
    assert blob.read_at(2 * MIB, MIB) == data[2 * MIB :]
    with store.open(cid) as again:
        assert b"".join(again) == data


def test_a_node_that_hangs_is_given_up(
    kubo: KuboNode, ipfs: IpfsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cid = ipfs.put([b"hanging"]).cid
    monkeypatch.setattr(node_module, "READ_TIMEOUT", 0.3)
    monkeypatch.setattr(node_module, "WRITE_TIMEOUT", 0.3)
    os.kill(kubo.pid, signal.SIGSTOP)
    os.waitpid(kubo.pid, os.WUNTRACED)  # until all its threads have stopped
    try:
        for work in (lambda: ipfs.stat(cid), lambda: ipfs.put([b"more"]), ipfs.check):
            with pytest.raises(StoreUnavailable):
                work()
    finally:
        os.kill(kubo.pid, signal.SIGCONT)
    assert ipfs.stat(cid) == 7


def test_what_was_put_stays_when_the_node_collects_its_garbage(kubo: KuboNode, ipfs: IpfsStore) -> None:
    data = os.urandom(2 * MIB + 1)
    cid = ipfs.put([data]).cid
    kubo.ask("repo/gc")
    with ipfs.open(cid) as blob:
        assert b"".join(blob) == data


def test_a_put_that_broke_off_goes_when_the_node_collects_its_garbage(
    kubo: KuboNode, ipfs: IpfsStore
) -> None:
    leaf = os.urandom(MIB)

    def stream() -> Iterator[bytes]:
        yield leaf * 2
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        ipfs.put(stream())
    # The node may have finished a tree of what it had got, but has not pinned it; or it is writing still.
    cids = [root_of_leaves(hashlib.sha256(leaf).digest() * count, count * MIB) for count in (1, 2)]
    for _ in range(60):  # collections, of which one may take long
        kubo.ask("repo/gc")
        if not any(ipfs.has(cid) for cid in cids):
            break
        time.sleep(0.5)
    assert not any(ipfs.has(cid) for cid in cids)


def test_pinning_keeps_what_an_integrator_added_without(kubo: KuboNode, ipfs: IpfsStore) -> None:
    data = os.urandom(MIB + 1)
    with ipfshttpclient.Client(f"/ip4/127.0.0.1/tcp/{kubo.port}/http") as client:
        options = {**node_module.ADD_OPTIONS, "pin": "false"}
        cid = Cid.parse(client.add_bytes(data, opts=options))
    ipfs.pin(cid)
    kubo.ask("repo/gc")
    assert ipfs.stat(cid) == len(data)


def test_a_node_with_other_defaults_gives_the_same_cid(stopped: KuboNode) -> None:
    data = os.urandom(3 * MIB)
    before = IpfsStore(stopped.url).put([data])
    stopped.stop()
    path = stopped.repository / "config"
    config = json.loads(path.read_text())
    config["Import"] = {
        "CidVersion": 0,
        "UnixFSRawLeaves": False,
        "UnixFSChunker": "size-262144",
        "HashFunction": "sha2-512",
        "UnixFSFileMaxLinks": 174,
    }
    path.write_text(json.dumps(config))
    try:
        stopped.start()
        assert IpfsStore(stopped.url).put([data]) == before
    finally:
        del config["Import"]
        path.write_text(json.dumps(config))


@pytest.mark.parametrize("size", [5, MIB, 3 * MIB])
def test_a_tampered_leaf_is_never_handed_out(kubo: KuboNode, ipfs: IpfsStore, size: int) -> None:
    data = os.urandom(size)
    cid = ipfs.put([data]).cid
    tamper(kubo, data[-MIB:])
    with ipfs.open(cid) as blob:
        if size > MIB:
            assert blob.read_at(0, 2 * MIB) == data[: 2 * MIB]
        with pytest.raises(ContentCorrupt):
            blob.read_at(size - 1, 1)
        with pytest.raises(ContentCorrupt):
            b"".join(blob)


def test_a_tampered_root_is_never_followed(kubo: KuboNode, ipfs: IpfsStore) -> None:
    cid = ipfs.put([os.urandom(3 * MIB)]).cid
    tamper(kubo, ipfs._node.block(cid))
    for work in (ipfs.open, ipfs.stat):
        with pytest.raises(ContentCorrupt):
            work(cid)
    ipfs.unpin(cid)
    assert not ipfs.has(cid)


def test_a_root_swapped_for_another_is_never_followed(kubo: KuboNode, ipfs: IpfsStore) -> None:
    mine, other = ipfs.put([os.urandom(3 * MIB)]).cid, ipfs.put([os.urandom(3 * MIB)]).cid
    tamper(kubo, ipfs._node.block(mine), ipfs._node.block(other))
    with pytest.raises(ContentCorrupt):
        ipfs.open(mine)


def test_an_erasing_that_the_node_refuses_is_not_taken_for_done(kubo: KuboNode, ipfs: IpfsStore) -> None:
    damaged, other = ipfs.put([os.urandom(3 * MIB)]).cid, ipfs.put([os.urandom(9)]).cid
    tamper(kubo, ipfs._node.block(damaged))
    with pytest.raises(StoreUnavailable):  # it looks through all pins, and cannot read one
        ipfs.unpin(other)
    ipfs.unpin(damaged)
    ipfs.unpin(other)
    assert not ipfs.has(other)


def test_a_size_that_the_node_makes_up_is_not_believed(ipfs: IpfsStore) -> None:
    cid = ipfs.put([b"ten bytes."]).cid
    for size in (0, 5, 11, 3 * MIB):
        with pytest.raises(ContentCorrupt):
            IpfsBlob(ipfs._node, cid, size, []).read_at(0, 20)


def test_a_tree_of_another_shape_is_refused(kubo: KuboNode, ipfs: IpfsStore) -> None:
    with ipfshttpclient.Client(f"/ip4/127.0.0.1/tcp/{kubo.port}/http") as client:
        options = {**node_module.ADD_OPTIONS, "chunker": "size-262144"}
        cid = Cid.parse(client.add_bytes(os.urandom(3 * MIB), opts=options))
    with pytest.raises(ContentCorrupt):
        ipfs.open(cid)


def test_content_moves_from_the_folder_to_the_node_and_keeps_its_cid(
    local: LocalStore, ipfs: IpfsStore
) -> None:
    cid = local.put([os.urandom(2 * MIB + 1)]).cid
    with local.open(cid) as blob:
        assert ipfs.put(blob).cid == cid


@pytest.mark.slow
def test_a_gibibyte_is_the_largest_file_of_one_level(ipfs: IpfsStore) -> None:
    leaf, builder = bytes(MIB), CidBuilder()  # with it the folder names its objects
    stored = ipfs.put([leaf] * 1024)
    for _ in range(1024):
        builder.update(leaf)
    assert (stored.cid, stored.size) == (builder.finish(), 1 << 30)
    ipfs.unpin(stored.cid)


@pytest.mark.slow
def test_a_file_of_two_levels_is_put_read_and_erased(ipfs: IpfsStore) -> None:
    size = (1 << 30) + 1
    stored = ipfs.put([bytes(MIB)] * 1024 + [b"\0"])
    builder = CidBuilder()
    for _ in range(1024):
        builder.update(bytes(MIB))
    builder.update(b"\0")
    assert stored.cid == builder.finish() == root_of_leaves(bytes(builder.leaves), size)
    with ipfs.open(stored.cid) as blob:
        assert blob.read_at(size - 3, 9) == bytes(3)
        assert blob.read_at(1023 * MIB - 1, MIB + 5) == bytes(MIB + 2)
        assert sum(len(piece) for piece in blob) == size
    ipfs.unpin(stored.cid)
    with pytest.raises(ContentNotFound):
        ipfs.open(stored.cid)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_node_is_named_by_a_url_or_a_multiaddr(kubo: KuboNode, host: str) -> None:
    kind = "ip4" if host == "127.0.0.1" else "dns"
    for url in (
        f"http://{host}:{kubo.port}",
        f"http://{host}:{kubo.port}/",
        f"/{kind}/{host}/tcp/{kubo.port}/http",
    ):
        open_store(path=kubo.repository / "unused", ipfs_url=url).check()
    assert not (kubo.repository / "unused").exists()


@pytest.mark.parametrize(
    "url", ["localhost:5001", "ftp://host:5001", "http://", "http://host/a/b", "/nowhere/1"]
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        IpfsStore(url)


def test_a_node_that_hangs_before_or_while_a_file_is_sent_is_given_up(
    kubo: KuboNode, ipfs: IpfsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until now a put waited ten minutes for its answer, and kept a thread of the web server."""
    monkeypatch.setattr(node_module, "CONNECT_TIMEOUT", 0.5)
    monkeypatch.setattr(node_module, "ADD_TIMEOUT", 1.0)
    pieces: list[bytes] = []

    def stream(stop_at: int) -> Iterator[bytes]:
        for number in range(4):
            if number == stop_at:
                os.kill(kubo.pid, signal.SIGSTOP)
                os.waitpid(kubo.pid, os.WUNTRACED)
            pieces.append(b"")
            yield os.urandom(1000)
        if stop_at == 4:
            os.kill(kubo.pid, signal.SIGSTOP)
            os.waitpid(kubo.pid, os.WUNTRACED)

    for stop_at in (0, 2, 4):
        try:
            with pytest.raises(StoreUnavailable):
                ipfs.put(stream(stop_at))
            pieces.clear()
            with pytest.raises(StoreUnavailable):
                ipfs.put(stream(9))
            assert not pieces, "not a byte is taken for a node that hangs already"
        finally:
            os.kill(kubo.pid, signal.SIGCONT)
    assert ipfs.put([b"again"]).size == 5


def test_the_patience_grows_with_what_was_sent() -> None:
    patience = node_module._Patience()
    assert int(patience) == node_module.ADD_TIMEOUT
    for _ in patience.count([bytes(node_module.ADD_RATE)] * 20):
        pass
    assert int(patience) == node_module.ADD_TIMEOUT + 20


def test_a_node_that_says_when_to_come_again_is_left_alone() -> None:
    with serve_busy({"Version": "0.42.0"}) as server:
        store = IpfsStore(server.url)
        store.check()
        server.refuse(429, "30")
        for work in (store.check, lambda: store.put([b"x"]), store.check):
            with pytest.raises(StoreUnavailable):
                work()
        assert server.asked == 2
