"""The nodes that faults are done to: anvil, geth, the local chain, and anvil behind a faulty proxy."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Lock
from pathlib import Path
from typing import Protocol

from chain.keys.ecdsa import address_of_key
from chain.localchain import Anvil
from chain.localchain.errors import LocalChainError
from chain.localchain.files import DRAFT
from chain.localchain.identity import make_funder_key
from chain.localchain.node import free_port
from chain.localchain.rpc import Rpc
from chain.localchain.saving import BLOCKS_APART
from chain.localchain.tether import tie_to_parent
from tests.chain.local_chain import node_behind
from tests.faults.processes import Child
from tests.faults.proxy import serve_faults
from tests.geth.build import GETH
from tests.geth.node import GethNode

_EVERY = 0.15  # seconds between two blocks
_LITTLE_WORK = 0.001  # seconds: the local chain saves its state as often as it may
_START_SECONDS = 60.0
_CHAIN_ID = 77_010


class Node(Protocol):
    """`port`: the node itself. `url`: where the portal looks for it."""

    @property
    def port(self) -> int: ...

    @property
    def url(self) -> str: ...

    def close(self) -> None: ...


class AnvilNode:
    """anvil, and a process that mines a block again and again unless it is held."""

    def __init__(self) -> None:
        self._anvil = Anvil(chain_id=_CHAIN_ID, options=("--no-mining", "--order", "fifo"))
        self.port = self._anvil.port
        self.url = self._anvil.url
        self._turn = get_context("fork").Lock()
        self._miner = Child(_mine, self.port, self._turn)

    @contextmanager
    def held(self) -> Iterator[Rpc]:
        """No block comes meanwhile. The node, to do things to it."""
        with self._turn:
            yield Rpc(self.port)

    def close(self) -> None:
        """End it."""
        self._miner.kill()
        self._anvil.stop()


class ProxiedNode(AnvilNode):
    """anvil behind a proxy that does to the portal what bad nodes do, while it is told to."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.proxy_port = free_port()
        self._faults = get_context("fork").Value("d", 0.0)
        self._logs_lag = get_context("fork").Value("i", 0)
        self._proxy = Child(serve_faults, self.proxy_port, self.port, seed, self._faults, self._logs_lag)
        self.url = f"http://127.0.0.1:{self.proxy_port}"
        _wait_for(self.proxy_port)

    def set_faults(self, share: float) -> None:
        """The share of requests (0 to 1) that something goes wrong with from now on."""
        self._faults.value = share

    def let_logs_lag(self, lag: bool) -> None:
        """Set whether it gives no logs from now on, though it has the blocks."""
        self._logs_lag.value = int(lag)

    def close(self) -> None:
        """End both."""
        self._proxy.kill()
        super().close()


class LocalChain:
    """`python -m chain.localchain`, as `make run` starts it, with faster blocks."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = folder / "chain"  # where `deploy_contract --fund` looks for its money
        self._process = self._start()

    def kill(self) -> None:
        """kill -9 of the supervisor. The kernel ends its node with it."""
        self._process.kill()
        self._process.wait()

    def kill_node(self) -> None:
        """kill -9 of the node alone. The supervisor has to find out."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for pid in children.read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def start_again(self) -> None:
        """The supervisor anew, on the same folder and port. Back when it answers."""
        self._process = self._start()

    def saves_its_state(self, seconds: float) -> bool:
        """Return whether it writes its state within this time, as it does after some blocks."""
        node_behind(self._process.pid).call("anvil_mine", hex(BLOCKS_APART))
        states, deadline = self.state / "states", time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(each.suffix == DRAFT for each in states.iterdir()):
                return True
        return False

    def spoil_a_block(self) -> None:
        """Have the node act as an account whose key nobody gave, and wait until that is in a block."""
        node = node_behind(self._process.pid)
        stranger = "0x" + secrets.token_hex(20)
        node.call("anvil_setBalance", stranger, hex(10**20))
        node.call("anvil_impersonateAccount", stranger)
        sent = node.call("eth_sendTransaction", {"from": stranger, "to": stranger, "value": "0x1"})
        while node.call("eth_getTransactionReceipt", sent) is None:
            time.sleep(_EVERY)

    def wait_until_open(self) -> None:
        """Until the port answers. LocalChainError when the supervisor has given up."""
        _wait_for(self.port, self._process)

    def close(self) -> None:
        """End it."""
        self.kill()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "chain.localchain", "--port", str(self.port)]
        command += ["--state", str(self.state), "--block-time", str(_EVERY), "--work", str(_LITTLE_WORK)]
        process = subprocess.Popen(command, preexec_fn=tie_to_parent(), start_new_session=True)
        _wait_for(self.port, process)
        return process


class Geth:
    """A geth with a block each second, on which the local chain's key has money."""

    def __init__(self, folder: Path) -> None:
        self._node = GethNode(GETH.require())
        self._node.__enter__()
        self._node.fund(address_of_key(make_funder_key(folder / "chain")), ether=1_000_000)
        self.port, self.url = self._node.port, self._node.url

    def close(self) -> None:
        """End it."""
        self._node.close()


def make_node(kind: str, folder: Path, seed: int, *, among_servers: bool) -> Node:
    """Start a node: "any", "anvil", "local chain" or "proxy"."""
    if kind == "any" and among_servers:
        return Geth(folder)
    if kind == "local chain":
        return LocalChain(folder)
    return ProxiedNode(seed) if kind == "proxy" else AnvilNode()


def _mine(port: int, turn: Lock) -> None:
    node = Rpc(port)
    while True:
        with turn, suppress(LocalChainError):
            node.call("evm_mine")
        time.sleep(_EVERY)


def _wait_for(port: int, process: "subprocess.Popen[bytes] | None" = None) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with suppress(LocalChainError):
            Rpc(port).call("eth_chainId")
            return
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise LocalChainError(f"nothing answers at port {port}")
        time.sleep(0.02)
