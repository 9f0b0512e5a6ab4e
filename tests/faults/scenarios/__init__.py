"""The scenarios by name. Each function makes its faults in a world. The judge says what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.faults.points import POINTS
from tests.faults.scenarios.broken_tails import broken_tails
from tests.faults.scenarios.clocks import clocks
from tests.faults.scenarios.crowd import crowd
from tests.faults.scenarios.faulty_node import faulty_node
from tests.faults.scenarios.foundations import lost_foundations
from tests.faults.scenarios.kills import kills
from tests.faults.scenarios.node_kills import node_kills
from tests.faults.scenarios.outages import outages
from tests.faults.scenarios.reorgs import reorgs
from tests.faults.scenarios.restores import restores
from tests.faults.scenarios.strangers import strangers
from tests.faults.scenarios.successions import successions
from tests.faults.scenarios.tasks_twice import tasks_twice
from tests.faults.scenarios.two_machines import two_machines
from tests.faults.stage import StagedScenario
from tests.faults.world import World


@dataclass(frozen=True)
class Scenario:
    """What is done how many times in a world, and to which node. "any": anvil, or geth among servers."""

    run: Callable[[World, int], None]
    rounds: int
    node: Literal["any", "anvil", "local chain", "proxy"] = "any"


@dataclass(frozen=True)
class Staged:
    """A scenario that starts whole portals itself, and how many times it does its faults."""

    run: StagedScenario
    rounds: int


SCENARIOS: dict[str, Scenario | Staged] = {
    **{
        f"kill-{name}": Scenario(kills([point]), 25, "any" if point.scene == "flow" else "anvil")
        for name, point in POINTS.items()
    },
    "node-kills": Scenario(node_kills, 50, "local chain"),
    "broken-tails": Scenario(broken_tails, 20, "local chain"),
    "reorgs": Scenario(reorgs, 100, "anvil"),
    "lost-foundations": Scenario(lost_foundations, 40, "anvil"),
    "faulty-node": Scenario(faulty_node, 25, "proxy"),
    "crowd": Scenario(crowd, 500),
    "strangers": Scenario(strangers, 25),
    "tasks-twice": Scenario(tasks_twice, 10),
    "clocks": Scenario(clocks, 20),
    "successions": Scenario(successions, 12),
    "outages": Scenario(outages, 20),
    "two-machines": Staged(two_machines, 40),
    "restores": Scenario(restores, 12),
}
_SENDING = [point for point in POINTS.values() if point.is_of_sending]
_READING = [point for point in POINTS.values() if not point.is_of_sending]
# The short run kills at many points in one world.
SHORT: dict[str, Scenario | Staged] = {
    "kills-sending": Scenario(kills(_SENDING), 2, "anvil"),
    "kills-reading": Scenario(kills(_READING), 2, "anvil"),
    "node-kills": Scenario(node_kills, 4, "local chain"),
    "broken-tails": Scenario(broken_tails, 2, "local chain"),
    "reorgs": Scenario(reorgs, 8, "anvil"),
    "lost-foundations": Scenario(lost_foundations, 4, "anvil"),
    "faulty-node": Scenario(faulty_node, 3, "proxy"),
    "crowd": Scenario(crowd, 60),
    "strangers": Scenario(strangers, 2),
    "tasks-twice": Scenario(tasks_twice, 1),
    "clocks": Scenario(clocks, 2),
    "successions": Scenario(successions, 2),
    "outages": Scenario(outages, 3),
    "two-machines": Staged(two_machines, 9),
    "restores": Scenario(restores, 3),
}
