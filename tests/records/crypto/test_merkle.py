"""The view log's Merkle tree: RFC 9162's definition, known roots, and entries that tell nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some

from records.crypto.merkle import EMPTY_ROOT, Frontier
from records.crypto.view_log import Look, next_log_id
from tests.vectors import independent

# Of Certificate Transparency's reference implementation: entries, and the root of each number of them.
ENTRIES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LOOK = Look(
    id=UUID("00112233-4455-6677-8899-aabbccddeeff"),
    patient="0x" + "1" * 40,
    record="0x" + "2" * 64,
    version=3,
    viewer="0x" + "4" * 40,
    via="0x" + "5" * 40,
    what="content",
    at=datetime(2026, 3, 1, 12, 0, 0, 7, tzinfo=UTC),
)


def test_the_roots_of_certificate_transparency() -> None:
    tree = Frontier()
    assert tree.root == EMPTY_ROOT
    found = [tree.root.hex()]
    for entry in ENTRIES:
        tree.append(bytes.fromhex(entry))
        found.append(tree.root.hex())
    assert found == ROOTS


@given(some.lists(some.binary(max_size=40), max_size=70), some.integers(0, 70))
def test_going_on_from_kept_bytes_gives_the_root_of_the_whole_list(entries: list[bytes], kept: int) -> None:
    before = Frontier()
    before.extend(entries[:kept])
    tree = Frontier(before.size, before.to_bytes())
    tree.extend(entries[kept:])
    assert (tree.size, tree.root) == (len(entries), independent.merkle_root(entries))
    assert len(tree.to_bytes()) == 32 * len(entries).bit_count()


@pytest.mark.parametrize(("size", "peaks"), [(0, bytes(32)), (3, bytes(32)), (4, bytes(64)), (1, bytes(31))])
def test_bytes_that_are_of_another_size_are_refused(size: int, peaks: bytes) -> None:
    with pytest.raises(ValueError, match="hashes"):
        Frontier(size, peaks)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": uuid4()},
        {"patient": "0x" + "6" * 40},
        {"record": ""},
        {"version": 4},
        {"viewer": "0x" + "6" * 40},
        {"via": ""},
        {"what": "list"},
        {"at": LOOK.at + timedelta(microseconds=1)},
    ],
)
def test_every_field_is_in_the_entry(changed: dict[str, Any]) -> None:
    entry = replace(LOOK, **changed).to_bytes()
    assert entry != LOOK.to_bytes()
    assert len(entry) == 136


@pytest.mark.parametrize(
    "changed",
    [{"what": "glance"}, {"viewer": ""}, {"record": "0x22"}, {"patient": "nobody"}, {"version": -1}],
)
def test_what_is_no_look_has_no_entry(changed: dict[str, Any]) -> None:
    with pytest.raises((ValueError, OverflowError)):
        replace(LOOK, **changed).to_bytes()


def test_the_id_of_the_next_log_names_log_size_and_root() -> None:
    log, root = bytes(range(32)), sha256(b"root").digest()
    ids = {next_log_id(log, 7, root), next_log_id(log, 8, root), next_log_id(root, 7, root)}
    assert len(ids | {next_log_id(log, 7, log)}) == 4
