"""A portal on a chain that geth keeps."""

from collections.abc import Iterator

import pytest

from tests.geth.build import GETH
from tests.geth.node import GethNode
from tests.geth.portal import GethPortal


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GethPortal]:
    """The real system, its chain a network that it does not start."""
    with GethNode(GETH.require()) as node:
        running = GethPortal(tmp_path_factory.mktemp("geth"), node)
        running.start()
        yield running
        running.stop()
