"""Strangers write to the contract what nobody here would write, while acts flow."""

from tests.faults.strangers import send_strange_acts
from tests.faults.world import World

_ACTS, _STRANGE = 5, 12


def strangers(world: World, rounds: int) -> None:
    """A round: acts of ours, and in the blocks between them those of strangers."""
    with world.working():
        for _ in range(rounds):
            web = world.web(_ACTS)
            world.ask(send_strange_acts, world.random.getrandbits(64), _STRANGE, world.strange)
            web.wait(60)
        world.wait_healed()
