"""Both stores, as real as in production: a folder, and a Kubo node of this test run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from records.storage import IpfsStore, LocalStore, Store
from tests.kubo.node import KuboNode, require_kubo


@pytest.fixture(scope="session")
def kubo() -> Iterator[KuboNode]:
    """A running node. A test that stops it starts it again."""
    with KuboNode(require_kubo()) as node:
        yield node


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def ipfs(kubo: KuboNode) -> IpfsStore:
    return IpfsStore(kubo.url)


@pytest.fixture(params=["local", pytest.param("ipfs", marks=pytest.mark.kubo)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each of the two in turn."""
    found: Store = request.getfixturevalue(request.param)
    return found
