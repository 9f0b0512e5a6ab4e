"""A geth for tests: a development chain of its own, a block each second, loopback only."""

import json
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chain.localchain.errors import NodeGone
from chain.localchain.node import BLOCK_GAS_LIMIT, free_port
from chain.localchain.rpc import Rpc
from chain.localchain.tether import tie_to_parent

START_SECONDS = 60.0
# Each block's state is on the disk. With the default ("path") a --dev node that was killed comes back with
# blocks whose state it has lost, and from the second time on it answers "layer stale" to everything.
_KEEP_STATE = ("--state.scheme", "hash", "--gcmode", "archive")
# The account that geth's --dev opens, from a key in its source: rich on a test chain only.
_DEVELOPER = "0x71562b71999873DB5b286dF957af199Ec94617F7"


class GethNode:
    """Runs a node while its `with` lasts, with the newest rules it knows: those to come, too."""

    def __init__(self, binary: Path, *, chain_id: int = 77_017) -> None:
        self._binary, self._chain_id = binary, chain_id
        self._folder = tempfile.TemporaryDirectory(prefix="medrec-geth-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.rpc = Rpc(self.port)

    @property
    def pid(self) -> int:
        """The node's process id. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("geth is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        """Start it and wait until it answers. Raises RuntimeError when it does not."""
        genesis = Path(self._folder.name) / "genesis.json"
        genesis.write_text(json.dumps(self._genesis()))
        self._run("--datadir", self._folder.name, *_KEEP_STATE[:2], "init", str(genesis))
        self.start()
        return self

    def start(self) -> None:
        """Start it on its folder and wait until it answers. Raises RuntimeError when it does not."""
        log = Path(self._folder.name) / "log"
        command = [
            str(self._binary),
            "--dev",
            "--dev.period",
            "1",
            "--datadir",
            self._folder.name,
            *_KEEP_STATE,
        ]
        command += ["--ipcdisable", "--http", "--http.addr", "127.0.0.1", "--http.port", str(self.port)]
        command += ["--http.api", "eth,net,web3,txpool", "--authrpc.port", str(free_port())]
        command += ["--miner.gaslimit", str(BLOCK_GAS_LIMIT)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=tie_to_parent(),
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.rpc.call("eth_chainId")
                return
            except NodeGone:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"geth did not start: {log.read_text()[-2000:]}") from None
                time.sleep(0.05)

    def kill(self) -> None:
        """`kill -9`. After that it may have forgotten its newest blocks."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, and remove its folder."""
        self.kill()
        self._folder.cleanup()

    def fund(self, address: str, ether: int) -> None:
        """Send ether from the developer's account, mined before this returns. Raises RuntimeError."""
        call = {"from": _DEVELOPER, "to": address, "value": hex(ether * 10**18)}
        transaction = self.rpc.call("eth_sendTransaction", call)
        deadline = time.monotonic() + START_SECONDS
        while self.rpc.call("eth_getTransactionReceipt", transaction) is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{transaction} is not mined")
            time.sleep(0.1)

    def _genesis(self) -> dict[str, Any]:
        """Return the genesis of --dev (the CREATE2 factory is in it), on a chain of ours."""
        genesis: dict[str, Any] = json.loads(self._run("--dev", "dumpgenesis"))
        genesis["config"]["chainId"] = self._chain_id
        genesis["gasLimit"] = hex(BLOCK_GAS_LIMIT)
        genesis["alloc"][_DEVELOPER.removeprefix("0x")] = {"balance": hex(10**30)}
        return genesis

    def _run(self, *arguments: str) -> bytes:
        return subprocess.run([str(self._binary), *arguments], check=True, capture_output=True).stdout
