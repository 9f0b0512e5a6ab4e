"""Acts accepted on top of confirmed ones, while the chain loses those: nothing accepted may fail for it."""

import time
from itertools import islice
from pathlib import Path
from random import Random

from django.db import transaction

from chain.indexer.run import BEHIND_FOR
from chain.localchain.rpc import Rpc
from chain.outbox.submit import submit_act
from tests.faults.acts import Clinic, acts
from tests.faults.nodes import AnvilNode
from tests.faults.scenarios.kills import head_of, newest_applied
from tests.faults.world import World

_DEEPEST = 9
_PATIENTS = 3  # a round
_LONGEST = 22  # acts of a patient's story, and perhaps some of the next one's
_NO_BLOCK = 4.0  # seconds in which nothing is mined: two judgements of an act are one second apart


def lost_foundations(world: World, rounds: int) -> None:
    """A round: the first acts of some stories are confirmed and then lost; the rest is accepted around that.

    No block comes for a while, as on a chain with 12 s blocks: what was lost is not back when the relayer
    looks at what builds on it.
    """
    node = world.node
    assert isinstance(node, AnvilNode)
    with node.held() as rpc:
        beginning, first = str(rpc.call("evm_snapshot")), head_of(rpc)
    for number in range(rounds):
        stories = [_Story(world) for _ in range(_PATIENTS)]
        for story in stories:
            story.accept(story.confirmed)
        world.heal()
        with node.held() as rpc:
            for story in stories:
                story.accept(story.before)
            pause = _NO_BLOCK
            if number % 4 == 3:
                beginning = _lose_all(rpc, beginning)
                pause += BEHIND_FOR.total_seconds()  # until then it may be a node that is behind
            else:
                _lose_some(world, rpc, head_of(rpc) - first)
            with world.working(2):
                time.sleep(pause)
                for story in stories:
                    story.accept(_LONGEST)
        world.heal()


class _Story:
    """A patient's story: some acts are confirmed, some more accepted before the loss, the rest after it."""

    def __init__(self, world: World) -> None:
        self._world, self._seed, self._told = world, world.random.getrandbits(64), 0
        self.confirmed = world.random.randint(3, _LONGEST - 2)
        self.before = world.random.randint(self.confirmed + 1, _LONGEST)

    def accept(self, until: int) -> None:
        """Accept the acts up to this number, and wait until that is done."""
        world, first, self._told = self._world, self._told, until
        world.start(_accept_between, self._seed, world.seed, first, until, world.accepted).wait(60)


def _lose_some(world: World, rpc: Rpc, most: int) -> None:
    """Put other blocks in the place of those that have something applied.

    `most`: so many blocks. anvil forgets a snapshot that it reorganises below.
    """
    least = head_of(rpc) - world.ask(newest_applied) + 1
    rpc.call("anvil_reorg", min(world.random.randint(least, max(least, _DEEPEST)), most), [])


def _lose_all(rpc: Rpc, beginning: str) -> str:
    """Put the chain back to where the first story began. The snapshot of it that is left."""
    assert rpc.call("evm_revert", beginning)
    return str(rpc.call("evm_snapshot"))


def _accept_between(seed: int, clinic: int, first: int, last: int, accepted: Path) -> None:
    """Accept the acts of a story from one number up to another."""
    stories = acts(Random(seed), Clinic.of_seed(clinic))
    with accepted.open("a") as notes:
        for act in islice(stories, first, last):
            with transaction.atomic():
                row = submit_act(act)
            notes.write(row.digest + "\n")
            notes.flush()
