"""A local chain as its own process, for tests: started, asked, killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eth_utils.address import to_checksum_address

from chain.keys.ecdsa import address_of_key, sign_transaction
from chain.localchain.errors import NodeGone
from chain.localchain.identity import make_funder_key
from chain.localchain.node import free_port
from chain.localchain.rpc import Rpc

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds

Process = subprocess.Popen[str]


def wait_for(true: Callable[[], Any]) -> Any:
    """The first truthy answer within PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if answer := true():
            return answer
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def answers(rpc: Rpc) -> bool:
    """Return whether a node answers there."""
    try:
        return bool(rpc.call("eth_chainId"))
    except NodeGone:
        return False


class OpenChain(Rpc):
    """A local chain's public port. Beside it the node behind the gate, and the key that has the money."""

    def __init__(self, port: int, process: Process, state: Path) -> None:
        super().__init__(port)
        self.port, self._process, self._state = port, process, state

    @property
    def funder(self) -> bytes:
        """The key that has the money, 32 bytes."""
        return make_funder_key(self._state)

    @property
    def node(self) -> Rpc:
        """The node itself, by what its command line says."""
        return node_behind(self._process.pid)

    def send(self, key: bytes, to: str, *, value: int = 0, data: bytes = b"", gas: int = 100_000) -> str:
        """Sign a transaction with a key and send it. Return its hash. Several may wait at once."""
        fields = {
            "type": 2,
            "chainId": int(self.call("eth_chainId"), 16),
            "nonce": int(self.call("eth_getTransactionCount", address_of_key(key), "pending"), 16),
            "to": to_checksum_address(to),
            "value": value,
            "data": data,
            "gas": gas,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 1,
        }
        raw, _ = sign_transaction(key, fields)
        return str(self.call("eth_sendRawTransaction", "0x" + raw.hex()))


def node_behind(pid: int, *, timeout: float = 60.0) -> Rpc:
    """The node that a local chain's process has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for child in children.read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        if "--host" in words:
            host, port = words[words.index("--host") + 1], words[words.index("--port") + 1]
            return Rpc(int(port), host=host, timeout=timeout)
    raise AssertionError("it has no node now")


def transfer(rpc: OpenChain) -> str:
    """Send one ether, and wait until it is in a block: that block's hash."""
    sent = rpc.send(rpc.funder, address_of_key(bytes([1] * 32)), value=10**18)
    return str(wait_for(lambda: rpc.call("eth_getTransactionReceipt", sent))["blockHash"])


def hashes(rpc: Rpc, head: int) -> list[str]:
    """The hashes of blocks 0 to `head`."""
    return [rpc.call("eth_getBlockByNumber", hex(number), False)["hash"] for number in range(head + 1)]


def head(rpc: Rpc) -> int:
    """The head's number."""
    return int(rpc.call("eth_blockNumber"), 16)


def journal_lines(state: Path) -> list[str]:
    """The journal's lines."""
    return (state / "journal.jsonl").read_text().splitlines()


def journal_hashes(state: Path) -> list[str]:
    """The hashes of the journal's blocks, from number 1 on."""
    return [json.loads(line)["hash"] for line in journal_lines(state)]


def saved_states(state: Path) -> list[Path]:
    """The files of the state generations, the newest first."""
    return sorted((state / "states").glob("*.state"), key=lambda file: int(file.stem), reverse=True)


class LocalChains:
    """Starts local chains in the folder `state`. Every one started is ended with the block."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._started: list[Process] = []

    def start(
        self, *options: str, module: str = "chain.localchain", **environment: str
    ) -> tuple[Process, OpenChain]:
        """A new one, when its port is open or it has ended."""
        port = free_port()
        command = [sys.executable, "-m", module, "--port", str(port), "--state", str(self.state)]
        command += ["--block-time", "0.1", *options]
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stderr=subprocess.PIPE, text=True
        )
        self._started.append(process)
        rpc = OpenChain(port, process, self.state)
        wait_for(lambda: process.poll() is not None or answers(rpc))
        return process, rpc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            kill(process)
            if process.stderr is not None:
                process.stderr.close()


def kill(process: Process) -> None:
    """kill -9, and nothing of it runs when this returns."""
    process.kill()
    process.wait()
