"""CIDs of the profile. Those written down here were made by Kubo 0.42.0. The first two are widely known."""

import hashlib
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.storage.cid import Cid, CidBuilder, root_of_leaves
from records.storage.errors import InvalidCid
from records.storage.tree import LEAF_SIZE, Link, check_shape, decode_node, encode_node, height_of

ZERO_LEAF = hashlib.sha256(bytes(LEAF_SIZE)).digest()


def cid_of(data: bytes, step: int = 70_000) -> str:
    builder = CidBuilder()
    for at in range(0, len(data), step):
        builder.update(data[at : at + step])
    return str(builder.finish())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
        (b"hello world\n", "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"),
        (bytes(LEAF_SIZE), "bafkreibq4fevl27rgurgnxbp7adh42aqiyd6ouflxhj3gzmcxcxzbh6lla"),
        (bytes(LEAF_SIZE + 1), "bafybeihd4yzq7n5umhjngdum4r6k2to7egxfkf2jz6thvwzf6djus22cmq"),
        (bytes(3 * LEAF_SIZE), "bafybeigdsjup7aizxrrjn7yqtcmqg6ffksaugwr7is2ind3cf7esaqrz4m"),
    ],
)
def test_known_contents_have_their_known_cid(data: bytes, expected: str) -> None:
    assert cid_of(data) == expected


@pytest.mark.parametrize(
    ("leaves", "last", "expected"),
    [
        (1024, LEAF_SIZE, "bafybeibqawkaltgjfdebq4no6nmfcvkcw7k52xqzclkwfmrkn6oxw7srmy"),
        (1025, 1, "bafybeigx4uyebjbq65346xh6cjrt6yshbdudzudhnqecwbzvymslxj7gje"),
        (1025, LEAF_SIZE, "bafybeigt7wofv4vnxbg3titijasuw4ptg5kfztec4smsk7opdt7z6djoxq"),
    ],
)
def test_the_tree_gets_its_second_level_after_1024_leaves(leaves: int, last: int, expected: str) -> None:
    digests = ZERO_LEAF * (leaves - 1) + hashlib.sha256(bytes(last)).digest()
    assert str(root_of_leaves(digests, (leaves - 1) * LEAF_SIZE + last)) == expected


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(min_value=0, max_value=2_500_000), max_size=3), st.integers())
def test_the_cid_does_not_depend_on_how_the_stream_is_cut(cuts: list[int], seed: int) -> None:
    data = random.Random(seed).randbytes(2 * LEAF_SIZE + 5)
    builder = CidBuilder()
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(bounds):
        builder.update(memoryview(data)[start:end])
    assert (str(builder.finish()), builder.size) == (cid_of(data, len(data)), len(data))


@given(st.binary(min_size=32, max_size=32), st.booleans())
def test_a_cid_comes_back_from_its_text_and_from_its_digest(digest: bytes, dag_pb: bool) -> None:
    cid = Cid(digest, dag_pb)
    assert Cid.parse(str(cid)) == cid
    assert Cid.from_digest(cid.hex, dag_pb=dag_pb) == Cid.from_digest(digest, dag_pb=dag_pb) == cid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",  # CIDv0
        "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",  # base58
        "BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykv",  # a bit set after the last byte
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvy",  # cut off
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku ",
        "bafkrgqhhyivzstcz3hhswshfjgy6ertgmnqeleynhwt4dlfsthi4hn7zgh4uvlsb5xncykzapi3ocd4lzogukir6ksdy6wzrnz6ohnv4aglcs",
    ],
)
def test_other_texts_are_no_cid(text: str) -> None:
    with pytest.raises(InvalidCid):
        Cid.parse(text)


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33), "0x" + "0" * 63, "0x" + "g" * 64])
def test_other_digests_are_refused(digest: bytes | str) -> None:
    with pytest.raises(InvalidCid):
        Cid.from_digest(digest)


def test_a_node_is_read_as_it_was_written() -> None:
    links = [Link(ZERO_LEAF, False, LEAF_SIZE, LEAF_SIZE)] * 1023 + [Link(bytes(32), False, 5, 5)]
    assert decode_node(encode_node(links)) == links


def test_a_node_with_any_byte_cut_or_changed_is_refused_or_reads_otherwise() -> None:
    links = [Link(ZERO_LEAF, True, 1 << 30, (1 << 30) + 50_000), Link(bytes(32), True, 5, 90)]
    block = encode_node(links)
    for at in range(len(block)):
        for changed in (block[:at], block[:at] + bytes([block[at] ^ 0x81]) + block[at + 1 :]):
            try:
                assert decode_node(changed) != links
            except ValueError:
                continue


def test_a_node_with_an_endless_number_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        decode_node(b"\x12" + b"\xff" * 100_000)


@pytest.mark.parametrize(
    "sizes",
    [[LEAF_SIZE], [LEAF_SIZE, LEAF_SIZE], [5, LEAF_SIZE], [LEAF_SIZE - 1, 6], [LEAF_SIZE, 5, 0]],
)
def test_links_that_do_not_cover_the_file_are_refused(sizes: list[int]) -> None:
    links = [Link(ZERO_LEAF, False, size, size) for size in sizes]
    with pytest.raises(ValueError, match="cover"):
        check_shape(links, LEAF_SIZE + 5, 1)


def test_links_of_another_level_are_refused() -> None:
    links = [Link(ZERO_LEAF, True, LEAF_SIZE, LEAF_SIZE), Link(ZERO_LEAF, False, 5, 5)]
    with pytest.raises(ValueError, match="codec"):
        check_shape(links, LEAF_SIZE + 5, 1)


def test_height_grows_with_each_full_tree() -> None:
    sizes = [
        0,
        LEAF_SIZE,
        LEAF_SIZE + 1,
        LEAF_SIZE << 10,
        (LEAF_SIZE << 10) + 1,
        LEAF_SIZE << 20,
        (LEAF_SIZE << 20) + 1,
    ]
    assert [height_of(size) for size in sizes] == [0, 0, 1, 1, 2, 2, 3]
