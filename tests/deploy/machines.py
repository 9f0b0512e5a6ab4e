"""Machines as docs/OPERATIONS.md describes them, all of them this one: a folder and a port each.

Their settings are deploy/medrec.env, their programs the units in deploy/systemd, with the addresses changed.
"""

import configparser
import os
import pwd
import shlex
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chain.localchain.node import free_port
from tests.records.watching import family
from tests.run.portal import ROOT

RESTART_SECONDS = 2.0
UNITS = ROOT / "deploy" / "systemd"
_EXAMPLE = ROOT / "deploy" / "medrec.env"
_ANY = "0.0.0.0:8000"  # where the unit's web server listens


def unit_command(name: str) -> list[str]:
    """The command of a unit in deploy/systemd."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNITS / f"medrec-{name}.service")
    return shlex.split(unit["Service"]["ExecStart"])


def settings_file(own: Mapping[str, str]) -> str:
    """The text of deploy/medrec.env with these values instead of the examples.

    KeyError for a name that it does not have.
    """
    names, lines = set(own), []
    for line in _EXAMPLE.read_text().splitlines():
        name, separator, _ = line.partition("=")
        if separator and not line.startswith("#") and name in names:
            names.remove(name)
            line = f'{name}="{own[name]}"'
        lines.append(line)
    if names:
        raise KeyError(f"deploy/medrec.env has no {', '.join(sorted(names))}")
    return "\n".join(lines) + "\n"


@dataclass
class Service:
    """One program of a machine. It is started again when it ends, as systemd does."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0
    _wanted: bool = False

    def start(self) -> None:
        """Start it, and again whenever it ends."""
        self._wanted = True
        threading.Thread(target=self._tend, daemon=True).start()

    def kill(self) -> None:
        """`kill -9` of its main process alone."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGKILL)

    def stop(self) -> None:
        """End it and all its processes for good."""
        self._wanted = False
        if self.process is not None:
            pids = family(self.process.pid)
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def _tend(self) -> None:
        while self._wanted:
            with self.log.open("ab") as output:
                self.process = subprocess.Popen(
                    self.command,
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self.starts += 1
            self.process.wait()
            time.sleep(RESTART_SECONDS)


@dataclass
class Machine:
    """A folder with a machine's own state, its settings, and its services."""

    folder: Path
    shared: Mapping[str, str]
    port: int = field(default_factory=free_port)
    services: dict[str, Service] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.settings = self.folder / "medrec.env"
        self.settings.write_text(settings_file({**self.shared, "VAR": str(self.var)}))

    @property
    def var(self) -> Path:
        """Its VAR."""
        return self.folder / "var"

    def manage(self, *arguments: str, check: bool = True) -> str:
        """Run deploy/manage with its settings. Return what it printed. AssertionError when it fails."""
        environment = _bare() | {"MEDREC_ENV": str(self.settings), "MEDREC_USER": _user()}
        command = [str(ROOT / "deploy" / "manage"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *names: str) -> None:
        """Start the services of these units."""
        for name in names:
            command = [part.replace("/opt/medrec", str(ROOT)) for part in unit_command(name)]
            command = [part.replace(_ANY, f"127.0.0.1:{self.port}") for part in command]
            service = Service(name, command, _bare() | self._environment(), self.folder / f"{name}.log")
            self.services[name] = service
            service.start()

    def stop(self) -> None:
        """End all its services."""
        for service in self.services.values():
            service.stop()

    def is_ready(self) -> bool:
        """Return whether /readyz says so."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=30) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def said(self) -> str:
        """Everything that its services printed."""
        return "".join(service.log.read_text(errors="replace") for service in self.services.values())

    def _environment(self) -> dict[str, str]:
        """The settings as systemd reads an EnvironmentFile."""
        lines = [line for line in self.settings.read_text().splitlines() if line and not line.startswith("#")]
        parts = (line.partition("=") for line in lines)
        return {name: "".join(shlex.split(value)) for name, _, value in parts}


def _bare() -> dict[str, str]:
    """Return the environment that a service manager gives a program."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/"}


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
