"""The node itself: Foundry's anvil, as npm brings it."""

import os
import platform
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from chain.localchain.errors import LocalChainError, NodeGone
from chain.localchain.rpc import Rpc
from chain.localchain.tether import tie_to_parent

HARDFORK = "osaka"
BLOCK_GAS_LIMIT = 60_000_000
START_SECONDS = 30.0
STATES_KEPT = 128
GIVE_BACK = "dirty_decay_ms:500,muzzy_decay_ms:0"  # jemalloc: a third less memory after a state is loaded

_MODULES = Path(__file__).resolve().parents[2] / "node_modules"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def anvil_binary() -> Path:
    """Return the node's binary. Raises LocalChainError when the npm packages are not installed."""
    return foundry_binary("anvil")


def foundry_binary(name: str) -> Path:
    """Return a Foundry tool's binary, not npm's wrapper: killed itself, that leaves the tool running.

    Raises LocalChainError when the npm packages are not installed.
    """
    machine = _MACHINES.get(platform.machine().lower(), platform.machine())
    binary = _MODULES / "@foundry-rs" / f"{name}-{sys.platform}-{machine}" / "bin" / name
    if not binary.exists():
        raise LocalChainError(
            f"{name} is not installed: `make setup` (for tests, `make test`) brings it from npm"
        )
    return binary


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of a loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def secret_loopback_host() -> str:
    """Return a loopback address that no web page can guess: with the port, one of some 2^38.

    Anvil cannot be kept from listening on TCP, and its WebSocket takes every page. Linux has all of
    127.0.0.0/8; elsewhere there is 127.0.0.1 alone, and the port is all there is to guess.
    """
    if sys.platform != "linux":
        return "127.0.0.1"
    return "127." + ".".join(str(1 + secrets.randbelow(254)) for _ in range(3))


class Anvil:
    """A running node on a free port of `host`; a context manager. `options` are further anvil options.

    The node has the rules of a public network: hardfork pinned, a gas limit for blocks (gas) and, as in
    EIP-7825, for single transactions. It dies with the process that made it. Balances, nonces and contracts
    can be asked for at the last `states_kept` blocks (each a copy of the whole state in its memory); blocks,
    transactions and logs from the first one on.
    """

    def __init__(
        self,
        *,
        chain_id: int,
        host: str = "127.0.0.1",
        options: tuple[str, ...] = (),
        gas_limit: int = BLOCK_GAS_LIMIT,
        states_kept: int = STATES_KEPT,
    ) -> None:
        self.host, self.port = host, free_port(host)
        command = [str(anvil_binary()), "--host", host, "--port", str(self.port), "--quiet", "--no-cors"]
        command += ["--chain-id", str(chain_id), "--hardfork", HARDFORK, "--gas-limit", str(gas_limit)]
        command += ["--enable-tx-gas-limit", "--no-request-size-limit", *options]
        # Without a number it writes each older state to the home folder, where a kill leaves them behind.
        command += ["--prune-history", str(states_kept)]
        self.process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"_RJEM_MALLOC_CONF": GIVE_BACK},
            preexec_fn=tie_to_parent(),
            start_new_session=True,
        )
        self.rpc = self.connect()
        self._wait_until_ready()

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://{self.host}:{self.port}"

    def connect(self, *, timeout: float = 60.0) -> Rpc:
        """Return a connection of its own, whose answers may take `timeout` seconds."""
        return Rpc(self.port, host=self.host, timeout=timeout)

    def stop(self) -> None:
        """End the node; what it knew is gone with it."""
        self.process.kill()
        self.process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.rpc.call("eth_chainId")
                return
            except NodeGone:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise NodeGone("anvil did not start") from None
                time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
