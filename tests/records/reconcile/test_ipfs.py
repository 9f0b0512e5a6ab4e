"""The store on a Kubo node: a missing pin, a lost content, the former folder that still has it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from records.content import store
from records.storage import LocalStore
from tests.kubo.node import KuboNode, require_kubo
from tests.records.reconcile.story import Story, content_of

pytestmark = pytest.mark.kubo


@pytest.fixture(scope="module")
def kubo() -> Iterator[KuboNode]:
    """A running node."""
    with KuboNode(require_kubo()) as node:
        yield node


@pytest.fixture
def moved(story: Story, kubo: KuboNode, store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """The story after its files were moved to the node. The folder is gone."""
    files = LocalStore(store_folder)
    monkeypatch.setattr(settings, "IPFS_API_URL", kubo.url)
    for cid in files.kept():
        with files.open(cid) as blob:
            store().put(blob)
    shutil.rmtree(store_folder)
    return story


def test_what_agrees_gives_no_finding(moved: Story) -> None:
    assert {name for name, found in moved.found(deep=True).items() if found.left} == set()


def test_a_missing_pin_is_pinned_again(moved: Story, kubo: KuboNode) -> None:
    cid = content_of(moved.record)
    kubo.ask(f"pin/rm?arg={cid}")
    found = moved.found()["R101"]
    assert found.findings[0].what.startswith("is in the store, and not pinned")
    assert moved.found(repair=True)["R101"].left == 0
    assert cid in set(store().kept())


def test_a_lost_content_comes_back_from_the_folder_that_was_the_store(
    moved: Story, store_folder: Path
) -> None:
    cid = content_of(moved.record)
    with store().open(cid) as blob:
        LocalStore(store_folder).put(blob)
    store().unpin(cid)
    assert not store().has(cid)
    done = moved.found(repair=True)["R101"]
    assert done.repaired == {f"content {cid}": "restored from the folder"}
    assert store().has(cid)


def test_a_lost_content_that_nobody_has_stays_a_difference(moved: Story) -> None:
    cid = content_of(moved.record)
    store().unpin(cid)
    done = moved.found(repair=True)["R101"]
    assert done.left == 1
    assert done.findings[0].what.startswith("is not in the store")
