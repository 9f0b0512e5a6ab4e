"""The local chain killed at any moment, between and in the middle of its writes, while acts flow."""

import time

from tests.faults.nodes import LocalChain
from tests.faults.world import World

_ACTS = 5


def node_kills(world: World, rounds: int) -> None:
    """A round: kill -9 of the node, which comes back by itself, or of all, which is started again."""
    chain = world.node
    assert isinstance(chain, LocalChain)
    with world.working():
        for _ in range(rounds):
            world.accept(_ACTS)
            time.sleep(world.random.uniform(0.0, 0.5))  # anywhere between two blocks
            if world.random.random() < 0.5:
                chain.kill_node()
            else:
                chain.kill()
                chain.start_again()
        chain.wait_until_open()
        world.wait_healed()
