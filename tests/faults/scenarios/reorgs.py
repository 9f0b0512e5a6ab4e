"""Reorganisations of random depth, many deeper than the confirmations, while acts flow."""

import time

from tests.faults.nodes import AnvilNode
from tests.faults.world import World

_DEEPEST = 9
_ACTS = 5


def reorgs(world: World, rounds: int) -> None:
    """A reorganisation a round; its blocks come back empty, and what was in them is sent again."""
    node = world.node
    assert isinstance(node, AnvilNode)
    with world.working(2):
        for _ in range(rounds):
            world.accept(_ACTS)
            time.sleep(world.random.uniform(0.0, 0.8))  # anywhere between accepted and applied
            with node.held() as rpc:
                rpc.call("anvil_reorg", world.random.randint(1, _DEEPEST), [])
        world.wait_healed()
