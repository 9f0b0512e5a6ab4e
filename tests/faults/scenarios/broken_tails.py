"""The local chain's last blocks cannot be made again: it starts with those before, and the portal goes on."""

import shutil

from tests.faults.nodes import LocalChain
from tests.faults.world import World

_ACTS = 5


def broken_tails(world: World, rounds: int) -> None:
    """A round: acts, a block that no journal can repeat, more acts, and kill -9 of all."""
    chain = world.node
    assert isinstance(chain, LocalChain)
    with world.working():
        for number in range(rounds):
            world.accept(_ACTS)
            chain.spoil_a_block()
            world.accept(_ACTS)
            chain.kill()
            if number % 2 == 0:
                shutil.rmtree(chain.state / "states", ignore_errors=True)  # no state lies behind the block
            chain.start_again()
            chain.wait_until_open()
        world.wait_healed()
    assert list(chain.state.glob("journal-after-*.jsonl")), "no block was set aside"
