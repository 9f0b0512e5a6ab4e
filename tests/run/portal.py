"""The whole portal as `make run` starts it, on free ports, with its state in a folder of the caller's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chain.localchain.node import free_port
from tests.servers.share import own_share

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180.0
READY = "The portal is at "
_DROPPED = (
    "CHAIN_RPC_URL",
    "DATABASE_URL",
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "METRICS_TOKEN",
    "PROMETHEUS_MULTIPROC_DIR",
    "PUBLIC_URL",
    "DJANGO_ALLOW_ASYNC_UNSAFE",
    "DJANGO_SETTINGS_MODULE",
)


@dataclass
class Portal:
    """A running portal. `log` is the file with everything it said."""

    process: "subprocess.Popen[bytes]"
    url: str
    rpc_url: str
    log: Path
    environment: dict[str, str]
    seconds: float = 0.0  # from the command to the address on the terminal

    def said(self) -> str:
        """Its output so far."""
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """Stop it as Ctrl-C does. Return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def kill(self) -> None:
        """Kill the manager alone, without a word to the programs it started."""
        self.process.kill()
        self.process.wait()

    def children(self) -> list[int]:
        """The process ids of the programs it runs (Linux)."""
        return children_of(self.process.pid)


def children_of(pid: int) -> list[int]:
    """The process ids of a process's children (Linux)."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []


def portal_environment(var: Path, *, demo: bool = False) -> dict[str, str]:
    """This process's environment without settings of its own, with state in `var` and two free ports.

    Where the tests run on servers, the portal gets a share of them.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    ports = {"PORT": str(free_port()), "LOCALCHAIN_PORT": str(free_port())}
    return environment | own_share(var) | ports | {"VAR": str(var), "DEMO": "1" if demo else "0"}


@contextmanager
def run_portal(var: Path, *, demo: bool = False, settings: dict[str, str] | None = None) -> Iterator[Portal]:
    """Start the portal, wait for its address. It is killed at the end if it still runs."""
    var.mkdir(parents=True, exist_ok=True)
    environment = portal_environment(var, demo=demo) | (settings or {})
    log = var / "run.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "medrec.run", "--end-with-parent"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{environment['PORT']}"
    rpc_url = f"http://127.0.0.1:{environment['LOCALCHAIN_PORT']}"
    portal = Portal(process, url, rpc_url, log, environment)
    try:
        while READY not in portal.said():
            if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise AssertionError(f"the portal did not start:\n{portal.said()}")
            time.sleep(0.05)
        portal.seconds = time.monotonic() - began
        yield portal
    finally:
        process.kill()
        process.wait()
