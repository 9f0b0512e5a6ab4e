"""Fixtures of the chain's tests."""

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from tests.chain.operators import signed_in
from tests.chain_node import ChainNode


@pytest.fixture(autouse=True)
def impatient(settings: Settings) -> None:
    """No waiting for company."""
    settings.CHAIN_BATCH_WAIT = 0


@pytest.fixture
def held_blocks(chain: ChainNode) -> Iterator[ChainNode]:
    """Blocks come only when the test mines them."""
    chain.rpc("evm_setAutomine", False)
    yield chain
    chain.mine()
    chain.rpc("evm_setAutomine", True)


@pytest.fixture
def root(chain: ChainNode) -> Client:
    """A browser of a superuser."""
    del chain
    return signed_in(root=True)
