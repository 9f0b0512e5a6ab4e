"""Several processes, each accepting, sending and reading at once, with one relayer key."""

from tests.faults.world import World

_PROCESSES = 4


def crowd(world: World, rounds: int) -> None:
    """`rounds` acts for each process, sent while they are accepted. Then what is left."""
    with world.working(_PROCESSES):
        webs = [world.web(rounds) for _ in range(_PROCESSES)]
        for web in webs:
            web.wait(300)
        world.wait_healed()
