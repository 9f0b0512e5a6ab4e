"""Reorganisations of random depth, half of them deeper than what was applied, while acts flow."""

import time

from tests.faults.nodes import AnvilNode
from tests.faults.scenarios.kills import head_of, newest_applied
from tests.faults.world import World

_DEEPEST = 9
_ACTS = 5


def reorgs(world: World, rounds: int) -> None:
    """A reorganisation a round. Its blocks come back empty, and what was in them is sent again."""
    node = world.node
    assert isinstance(node, AnvilNode)
    with world.working(2):
        for number in range(rounds):
            world.accept(_ACTS)
            if number % 2:
                world.wait_healed()
            else:
                time.sleep(world.random.uniform(0.0, 0.8))  # anywhere between accepted and applied
            with node.held() as rpc:
                depth = world.random.randint(1, _DEEPEST)
                if number % 2:
                    depth = max(depth, head_of(rpc) - world.ask(newest_applied) + 1)
                rpc.call("anvil_reorg", depth, [])
        world.wait_healed()
