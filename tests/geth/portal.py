"""The story's portal on geth: CHAIN_RPC_URL names it, as an operator's settings would."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chain.keys.ecdsa import address_of_key
from tests.geth.node import GethNode
from tests.story.portal import StoryPortal


class GethPortal(StoryPortal):
    """A portal whose relayer has the node's money. The node is there before it and after it."""

    def __init__(self, var: Path, node: GethNode) -> None:
        super().__init__(var)
        self.settings |= {"CHAIN_RPC_URL": node.url}
        self.others.append(node.pid)
        self.manage("make_keys")
        relayer = (var / "keys" / "relayer.key").read_text().strip()
        node.fund(address_of_key(bytes.fromhex(relayer.removeprefix("0x"))), ether=100)

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """Freeze the programs of these names. Where it is the local chain, geth in its place."""
        with super().frozen(*("geth" if name in ("chain.localchain", "anvil") else name for name in names)):
            yield
