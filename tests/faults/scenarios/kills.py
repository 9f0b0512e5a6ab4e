"""Processes killed at named points, one after the other, and healthy ones that find what they left."""

import time
from collections.abc import Callable

from django.conf import settings

from chain.localchain.rpc import Rpc
from chain.models import Attempt, Event
from chain.models.sending import AttemptState
from tests.faults.nodes import AnvilNode
from tests.faults.points import Point
from tests.faults.world import World

_ACTS = 5


def kills(points: list[Point]) -> Callable[[World, int], None]:
    """A scenario that kills at each point in turn, this many rounds."""

    def run(world: World, rounds: int) -> None:
        for number in range(rounds):
            if len(points) == 1 and number == rounds - 1:
                world.be_patient()  # once, with the lease as it is
            for point in points:
                kill_once(world, point)
            world.heal()

    return run


def kill_once(world: World, point: Point) -> None:
    """One process dies at the point, with what the point needs going on."""
    if point.who == "web":
        world.kill_at(point)
        return
    if point.scene == "reorg":
        world.accept(_ACTS)
        world.heal()
        with _anvil(world).held() as node:
            node.call("anvil_reorg", head_of(node) - world.ask(newest_applied) + 1, [])
    elif point.scene == "stuck":
        leave_stuck(world)
    else:
        world.accept(_ACTS)
    world.kill_at(point)


def leave_stuck(world: World) -> None:
    """A transaction that the node took, and lost, some blocks ago."""
    with _anvil(world).held() as node:
        world.accept(_ACTS)
        with world.working():
            world.ask(wait_sent)
        node.call("anvil_dropAllTransactions")
        node.call("anvil_mine", hex(settings.CHAIN_STUCK_BLOCKS + 1))


def head_of(node: Rpc) -> int:
    """The node's newest block."""
    return int(node.call("eth_blockNumber"), 16)


def newest_applied() -> int:
    """The newest block with events that the handlers have had."""
    return Event.objects.applied().latest("block_number").block_number


def wait_sent() -> None:
    """Until a transaction is with the node and not mined."""
    while not Attempt.objects.filter(state=AttemptState.IN_PROGRESS).exclude(sent_at=None).exists():
        time.sleep(0.02)


def _anvil(world: World) -> AnvilNode:
    assert isinstance(world.node, AnvilNode)
    return world.node
