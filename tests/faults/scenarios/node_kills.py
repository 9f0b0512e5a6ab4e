"""The local chain killed at any moment, between and in the middle of its writes, while acts flow."""

import time

from tests.faults.nodes import LocalChain
from tests.faults.world import World

_ACTS = 5
_SAVES_WITHIN = 2.0  # seconds
_ENOUGH = 10  # rounds, of which one at least hits a state while it is written


def node_kills(world: World, rounds: int) -> None:
    """A round: kill -9 of the node, which comes back by itself, or of all, which is started again."""
    chain = world.node
    assert isinstance(chain, LocalChain)
    hits = 0
    with world.working():
        for number in range(rounds):
            world.accept(_ACTS)
            if number % 2:
                time.sleep(world.random.uniform(0.0, 0.5))  # anywhere between two blocks
            else:
                hits += chain.saves_its_state(_SAVES_WITHIN)
            if world.random.random() < 0.3:
                chain.kill_node()
            else:
                chain.kill()
                chain.start_again()
            chain.wait_until_open()
        world.wait_healed()
    assert hits or rounds < _ENOUGH, "no kill came in the middle of writing the state"
