"""A web process and two workers whose clocks differ by a minute, and step by an hour or a day."""

from datetime import timedelta

from tests.faults.clocks import Clock
from tests.faults.worker import accept_acts, work
from tests.faults.world import World

_ACTS = 5
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_STEPS = [-_HOUR, _DAY]


def clocks(world: World, rounds: int) -> None:
    """A round: clocks a minute apart; all of them step; and back to what is right, with nothing restarted."""
    web, *others = (Clock() for _ in range(3))
    workers = [world.start(clock.run, work, world.raised, None) for clock in others]
    for number in range(rounds):
        apart = world.random.sample([-_MINUTE, timedelta(), _MINUTE], 3)
        stepped = [_STEPS[number % 2]] * 3
        alone = world.random.sample([_STEPS[number % 2], timedelta(), timedelta()], 3)
        for offsets in (apart, stepped, alone, [timedelta()] * 3):
            for clock, offset in zip((web, *others), offsets, strict=True):
                clock.set(offset)
            seed = world.random.getrandbits(64)
            accepting = world.start(web.run, accept_acts, seed, world.seed, _ACTS, world.accepted, None)
            accepting.wait(60)
            world.wait_healed()
    for worker in workers:
        worker.kill()
