"""The promises of both stores, asked of each."""

import os
import random
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from records.storage import Cid, CidBuilder, IpfsStore, LocalStore, Store, Stored
from records.storage.errors import ContentNotFound
from records.storage.tree import LEAF_SIZE

T = TypeVar("T")

MIB = 1 << 20
SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 3 * MIB + 70_001]


def pieces(data: bytes, step: int = 65_552) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


def cid_of(data: bytes) -> Cid:
    builder = CidBuilder()
    builder.update(data)
    return builder.finish()


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_is_read_back_under_the_expected_cid(store: Store, size: int) -> None:
    data = os.urandom(size)
    stored = store.put(pieces(data))
    assert (stored.cid, stored.size) == (cid_of(data), size)
    assert store.has(stored.cid)
    assert store.stat(stored.cid) == size
    with store.open(stored.cid) as blob:
        assert blob.size == size
        assert b"".join(blob) == data


@pytest.mark.kubo
@pytest.mark.parametrize("size", SIZES)
def test_both_stores_give_the_same_cid(local: LocalStore, ipfs: IpfsStore, size: int) -> None:
    data = os.urandom(size)
    assert local.put(pieces(data)) == ipfs.put(pieces(data))


@pytest.mark.kubo
def test_both_stores_give_the_same_cid_for_any_size(local: LocalStore, ipfs: IpfsStore) -> None:
    for _ in range(5):
        data = os.urandom(random.randrange(12 * MIB))
        step = random.randrange(1000, 2 * MIB)
        assert local.put(pieces(data, step)) == ipfs.put(pieces(data, step)), (len(data), step)


def test_ranges_are_read_in_any_order(store: Store) -> None:
    data = os.urandom(3 * MIB + 5)
    with store.open(store.put(pieces(data)).cid) as blob:
        for offset in (0, 2 * MIB, MIB - 3, 1, 3 * MIB, len(data) - 1, len(data), len(data) + 9):
            for length in (0, 1, 7, MIB, 2 * MIB, len(data)):
                assert blob.read_at(offset, length) == data[offset : offset + length]
        for offset in range(0, len(data), 65_552):
            assert blob.read_at(offset, 65_552) == data[offset : offset + 65_552]
        with pytest.raises(ValueError, match="negative"):
            blob.read_at(-1, 5)


@pytest.mark.parametrize("dag_pb", [False, True])
def test_unknown_content_is_not_found(store: Store, dag_pb: bool) -> None:
    cid = Cid(os.urandom(32), dag_pb)
    assert not store.has(cid)
    for call in (store.open, store.stat, store.pin):
        with pytest.raises(ContentNotFound):
            call(cid)


@pytest.mark.parametrize("size", [5, 3 * MIB])
def test_unpinned_content_is_gone_and_may_come_back(store: Store, size: int) -> None:
    data = os.urandom(size)
    cid = store.put([data]).cid
    store.unpin(cid)
    store.unpin(cid)
    assert not store.has(cid)
    for leaf in pieces(data, LEAF_SIZE):
        assert not store.has(cid_of(leaf))
    with pytest.raises(ContentNotFound):
        store.open(cid)
    assert store.put([data]).cid == cid
    with store.open(cid) as blob:
        assert b"".join(blob) == data


@pytest.mark.parametrize("failure", [ValueError("refused"), OSError("the client went away"), SystemExit(1)])
def test_the_failure_of_a_stream_passes_through_and_it_can_be_put_again(
    store: Store, failure: BaseException
) -> None:
    data = os.urandom(2 * MIB)

    def stream() -> Iterator[bytes]:
        yield data
        raise failure

    with pytest.raises(type(failure)) as caught:
        store.put(stream())
    assert caught.value is failure
    assert store.put([data]).cid == cid_of(data)


def test_empty_pieces_end_nothing(store: Store) -> None:
    stored = store.put([b"", b"a", b"", b"b", b""])
    with store.open(stored.cid) as blob:
        assert b"".join(blob) == b"ab"


def test_putting_the_same_again_changes_nothing(store: Store) -> None:
    data = os.urandom(MIB + 1)
    assert store.put([data]) == store.put([data])


def test_threads_share_a_store(store: Store) -> None:
    failures: list[object] = []

    def work() -> None:
        data = os.urandom(2 * MIB + 9)
        with store.open(store.put(pieces(data)).cid) as blob:
            if b"".join(blob) != data:
                failures.append(blob)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def peak_of(work: Callable[[], T]) -> tuple[T, int]:
    """Return the work's result, and the most bytes that Python had allocated meanwhile."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_flat(store: Store) -> None:
    def stream() -> Iterator[bytes]:
        for number in range(256):
            yield number.to_bytes(8, "big") * (MIB // 8)

    stored, put_peak = peak_of(lambda: store.put(stream()))
    with store.open(stored.cid) as blob:
        size, read_peak = peak_of(lambda: sum(len(piece) for piece in blob))
    assert size == stored.size == 256 * MIB
    assert put_peak < 8 * MIB
    assert read_peak < 8 * MIB


def test_a_healthy_store_passes_its_check(store: Store) -> None:
    store.check()


def test_what_is_kept_is_listed_until_it_is_unpinned(store: Store) -> None:
    cids = {store.put(pieces(os.urandom(size))).cid for size in (1, MIB, 2 * MIB + 1)}
    assert cids <= set(store.kept())
    gone = next(cid for cid in cids if cid.dag_pb)
    store.unpin(gone)
    assert cids & set(store.kept()) == cids - {gone}


@pytest.mark.parametrize("size", [5, 2 * MIB + 1])
def test_what_is_about_to_be_kept_is_told_before_it_is(store: Store, size: int) -> None:
    data = os.urandom(size)
    told: list[tuple[Stored, bool]] = []
    stored = store.put(pieces(data), before=lambda one: told.append((one, store.keeps(one.cid))))
    assert told == [(stored, False)]
    assert store.keeps(stored.cid)
    store.unpin(stored.cid)
    assert not store.keeps(stored.cid)


@pytest.mark.parametrize("size", [5, 2 * MIB + 1])
def test_nothing_is_kept_when_the_note_of_it_fails(store: Store, size: int) -> None:
    data = os.urandom(size)

    def refuse(_: Stored) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        store.put(pieces(data), before=refuse)
    assert not store.keeps(cid_of(data))
