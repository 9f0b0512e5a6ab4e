"""Fixtures of the chain's tests."""

from tests.chain_node import chain, chain_node

__all__ = ["chain", "chain_node"]
