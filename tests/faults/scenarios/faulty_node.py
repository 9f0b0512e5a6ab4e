"""A node that answers late, empty, wrong or not at all, while acts flow."""

import time

from chain.localchain.rpc import Rpc
from tests.faults.nodes import ProxiedNode
from tests.faults.world import World

_ACTS = 5
_SHARE = 0.3
_SECONDS = 1.5
_LAG_SECONDS = 20.0
_DEEPER = 4  # blocks: more than the confirmations


def faulty_node(world: World, rounds: int) -> None:
    """A while of faults of all kinds, or of logs that lag behind the blocks, a round; then a short peace."""
    node = world.node
    assert isinstance(node, ProxiedNode)
    with world.working(2):
        for number in range(rounds):
            if number % 3 == 1:
                let_logs_lag(world, node)
            else:
                node.set_faults(_SHARE)
                world.accept(_ACTS)
                time.sleep(_SECONDS)
                node.set_faults(0.0)
            time.sleep(world.random.uniform(0.0, 0.5))
        world.wait_healed()


def let_logs_lag(world: World, node: ProxiedNode) -> None:
    """The portal gets blocks without their logs, until some of those would be deep enough."""
    rpc = Rpc(node.port)
    before = _newest_log(rpc)
    deadline = time.monotonic() + _LAG_SECONDS
    node.let_logs_lag(True)
    world.accept(_ACTS)
    while (found := _newest_log(rpc)) == before or int(rpc.call("eth_blockNumber"), 16) < found + _DEEPER:
        if time.monotonic() > deadline:
            break  # nothing was sent meanwhile: why is for the judge to find
        time.sleep(0.05)
    node.let_logs_lag(False)


def _newest_log(rpc: Rpc) -> int:
    """The newest block that has logs."""
    found = rpc.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    return max(int(each["blockNumber"], 16) for each in found)
