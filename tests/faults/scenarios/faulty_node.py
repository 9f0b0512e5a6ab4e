"""A node that answers late, empty, wrong or not at all, while acts flow."""

import time

from tests.faults.nodes import ProxiedNode
from tests.faults.world import World

_ACTS = 5
_SHARE = 0.3
_SECONDS = 1.5


def faulty_node(world: World, rounds: int) -> None:
    """A while of faults a round, with a short peace between."""
    node = world.node
    assert isinstance(node, ProxiedNode)
    with world.working(2):
        for _ in range(rounds):
            node.set_faults(_SHARE)
            world.accept(_ACTS)
            time.sleep(_SECONDS)
            node.set_faults(0.0)
            time.sleep(world.random.uniform(0.0, 0.5))
        world.wait_healed()
