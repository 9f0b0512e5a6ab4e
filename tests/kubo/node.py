"""A Kubo node for tests: a temporary repository, loopback only, no peers but those it is told of."""

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.kubo.build import KUBO

START_TIMEOUT = 60  # seconds


def require_kubo() -> Path:
    """The Kubo binary. Without it the test is skipped (see `require_tool`)."""
    return KUBO.require()


class KuboNode:
    """Runs a node while its `with` lasts. `url` is its API's address. Stop and start keep the repository.

    With `peers` it exchanges blocks with the nodes that it is connected with.
    """

    def __init__(self, binary: Path, *, peers: bool = False) -> None:
        self._binary = binary
        self._options = [] if peers else ["--offline"]
        self._folder = tempfile.TemporaryDirectory(prefix="medrec-kubo-")
        self._process: subprocess.Popen[bytes] | None = None
        self.repository = Path(self._folder.name)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._run("init", "--profile=test")
        self._configure()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start the daemon and wait until its API answers. Raises RuntimeError when it does not."""
        log = self.repository / "daemon.log"
        with log.open("ab") as output:
            command = [str(self._binary), "daemon", *self._options]
            self._process = subprocess.Popen(command, env=self._environment(), stdout=output, stderr=output)
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"Kubo did not start: {log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop the daemon, if it runs."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def connect(self, other: "KuboNode") -> None:
        """Make another node with peers a peer of this one, until one of them stops. Raises OSError."""
        addresses: list[str] = json.loads(other.ask("id"))["Addresses"]
        tcp = next(address for address in addresses if address.startswith("/ip4/127.0.0.1/tcp/"))
        self.ask(f"swarm/connect?arg={tcp}")

    @property
    def is_running(self) -> bool:
        """Return whether it was started and not stopped."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The daemon's process id. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("Kubo is not running")
        return self._process.pid

    def ask(self, command: str) -> bytes:
        """Send a command without a body to the API, for example `repo/gc`. Its answer. Raises OSError."""
        request = urllib.request.Request(f"{self.url}/api/v0/{command}", method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            body: bytes = answer.read()
            return body

    def _answers(self) -> bool:
        try:
            self.ask("version")
        except OSError:
            return False
        return True

    def _configure(self) -> None:
        """Let nothing leave this machine: no bootstrap peers, no discovery, no automatic configuration."""
        path = self.repository / "config"
        config: dict[str, Any] = json.loads(path.read_text())
        config["Bootstrap"] = []
        config["AutoConf"] = {"Enabled": False}
        config["DNS"] = {"Resolvers": {}}
        config["Ipns"] |= {"DelegatedPublishers": []}
        config["Routing"] = {"Type": "none", "DelegatedRouters": []}
        config["Discovery"] = {"MDNS": {"Enabled": False}}
        config["AutoTLS"] = {"Enabled": False}
        config["Swarm"]["DisableNatPortMap"] = True
        config["Addresses"] |= {
            "API": f"/ip4/127.0.0.1/tcp/{self.port}",
            "Gateway": f"/ip4/127.0.0.1/tcp/{_free_port()}",
            "Swarm": [f"/ip4/127.0.0.1/tcp/{_free_port()}"],
        }
        path.write_text(json.dumps(config))

    def _run(self, *arguments: str) -> None:
        command = [str(self._binary), *arguments]
        subprocess.run(command, env=self._environment(), check=True, capture_output=True)

    def _environment(self) -> dict[str, str]:
        return os.environ | {"IPFS_PATH": str(self.repository), "IPFS_TELEMETRY": "off"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
