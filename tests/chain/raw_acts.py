"""Acts that another portal or wallet sends straight to the contract, past this portal's outbox."""

from chain.acts.messages import PreparedAct, SignedAct, sign_act
from chain.node.deployment import deployment
from chain.operations.deploy import send_and_wait
from tests.chain_node import FUNDER, ChainNode

_GAS = 5_000_000


def send_from_elsewhere(chain: ChainNode, act: PreparedAct, key: bytes) -> None:
    """Sign an act with its author's key, send it, and have it read."""
    send_signed(chain, sign_act(act, key))


def send_signed(chain: ChainNode, signed: SignedAct) -> None:
    """Send a signed act, and have it read."""
    data = signed.act.calldata(signed.signature)
    assert send_and_wait(FUNDER, deployment().address, data, gas=_GAS).succeeded
    chain.settle()
