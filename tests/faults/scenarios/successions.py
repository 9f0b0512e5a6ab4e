"""E, upgrades: one successor after the other takes over, killed in the middle, between acts of every kind."""

import os
from pathlib import Path

from chain.operations import succession
from tests.faults.processes import Child
from tests.faults.world import World

_ACTS = 12
_WITHIN = 120.0  # seconds
_KILLS_AT_MOST = 3


def successions(world: World, rounds: int) -> None:
    """A round: acts are accepted and confirmed, all programs stop, a successor takes over despite kills."""
    for number in range(rounds):
        with world.working():
            world.accept(_ACTS)
            world.wait_healed()
        done = world.folder / f"succeeded-{number}"
        for kill in range(_KILLS_AT_MOST + 1):
            last_step = world.random.randint(1, 4) if kill < _KILLS_AT_MOST else 0
            child: Child = world.start(succeed_until, last_step, done)
            if last_step:
                child.wait_any(_WITHIN)
            else:
                child.wait(_WITHIN)
            if done.exists():
                break
    with world.working():
        world.accept(_ACTS)
        world.wait_healed()


def succeed_until(last_step: int, done: Path) -> None:
    """Take over, with few words a transaction; die by SIGKILL at a step (0: never)."""
    real, steps = succession._send, 0

    def step(address: str, data: bytes) -> None:
        nonlocal steps
        steps += 1
        if steps == last_step:
            os.kill(os.getpid(), 9)
        real(address, data)

    succession._send = step
    succession._WORDS_A_TRANSACTION = 15
    succession.succeed(lambda _: None)
    done.touch()
