"""What tests of every folder share: one node and contract, and one browser, for the whole run."""

from tests.browser.chromium import chromium
from tests.chain_node import chain, chain_node

__all__ = ["chain", "chain_node", "chromium"]
