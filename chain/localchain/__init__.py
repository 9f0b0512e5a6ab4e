"""A local Ethereum node whose chain survives restarts and kills.

Foundry's anvil keeps its chain in memory, so a supervisor stands beside it (`python -m chain.localchain`): it
mines on demand, appends every block to a journal before the next one is mined, and replays the journal at the
next start, with the same block hashes. No Django here; a node is something the portal talks to over HTTP,
this one like any other.
"""

from chain.localchain.node import Anvil, anvil_binary

__all__ = ["Anvil", "anvil_binary"]
