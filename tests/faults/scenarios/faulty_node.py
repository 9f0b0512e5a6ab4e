"""A node that answers late, empty, wrong or not at all, while acts flow."""

import time

from tests.faults.nodes import ProxiedNode
from tests.faults.world import World

_ACTS = 5
_SHARE = 0.3
_SECONDS = 1.5


def faulty_node(world: World, rounds: int) -> None:
    """A while of faults of all kinds, or of logs that lag behind the blocks, a round; then a short peace."""
    node = world.node
    assert isinstance(node, ProxiedNode)
    with world.working(2):
        for number in range(rounds):
            node.set_faults(0.0 if number % 3 == 1 else _SHARE)
            node.let_logs_lag(number % 3 == 1)
            world.accept(_ACTS)
            time.sleep(_SECONDS)
            node.set_faults(0.0)
            node.let_logs_lag(False)
            time.sleep(world.random.uniform(0.0, 0.5))
        world.wait_healed()
