"""The portal as `make run` starts it, without a demo, with its mails kept in files, and able to die."""

import email
import email.policy
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

from django.utils import timezone

from chain.localchain.node import free_port
from tests.run.portal import ROOT, Portal, children_of, portal_environment, run_portal

T = TypeVar("T")
SECONDS = 120.0  # that anything may take which waits for the chain, on a busy machine
PASSWORD = "nine small copper kettles"
BORN = "1980-05-17"


def wait_for(found: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
    """Ask again and again until the answer is something. The answer. Fails by name when it never is."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} seconds in vain for {what}"
        time.sleep(0.1)
    return answer


def days_from_now(days: int) -> str:
    """A day as a date field takes it."""
    return (timezone.localdate() + timedelta(days=days)).isoformat()


class Mailbox:
    """What the portal mailed, read from Django's mail files. Each mail is handed out once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: set[tuple[str, int]] = set()

    def take(self, to: str) -> str:
        """The text of the oldest mail to this address that nobody took yet. Waits for one."""
        return wait_for(lambda: self._next(to), f"a mail to {to}")

    def take_link(self, to: str) -> str:
        """The path of the link in the next mail to this address."""
        found = re.search(r"https?://[^/\s]+(/\S*)", self.take(to))
        assert found, "the mail has no link"
        return found[1]

    def take_code(self, to: str) -> str:
        """The code in the next mail to this address."""
        found = re.search(r"^\s*([A-Z0-9]{3,}-?[A-Z0-9]{3,})\s*$", self.take(to), re.MULTILINE)
        assert found, "the mail has no code"
        return found[1]

    def _next(self, to: str) -> str:
        files = sorted(self._folder.glob("*.log"), key=lambda file: file.stat().st_mtime)
        for file in files:
            for place, message in enumerate(_messages(file)):
                if (file.name, place) not in self._read and to in str(message["To"]):
                    self._read.add((file.name, place))
                    return str(message.get_content())
        return ""


def _messages(file: Path) -> list[EmailMessage]:
    """Django writes a line of dashes behind each."""
    texts = file.read_text().split("-" * 79 + "\n")[:-1]
    return [email.message_from_string(text, policy=email.policy.default) for text in texts]


class StoryPortal:
    """A portal in a folder of its own, always on the same two ports.

    `others` are processes that it needs and does not start: they can be frozen with its own.
    """

    def __init__(self, var: Path) -> None:
        self.var = var
        self.others: list[int] = []
        self.mailbox = Mailbox(var / "mail")
        self.settings = {
            "PORT": str(free_port()),
            "LOCALCHAIN_PORT": str(free_port()),
            "EMAIL_URL": f"filemail:///{var / 'mail'}",
        }
        self.url = f"http://127.0.0.1:{self.settings['PORT']}"
        self._running = ExitStack()
        self._portal: Portal | None = None

    @property
    def portal(self) -> Portal:
        """The processes that run now."""
        assert self._portal is not None, "the portal does not run"
        return self._portal

    def start(self) -> None:
        """Start everything as `make run` does, and wait for the address on the terminal."""
        self._portal = self._running.enter_context(run_portal(self.var, settings=self.settings))

    def kill(self) -> None:
        """`kill -9` of every process, children first, so that nobody can tidy up."""
        for pid in [*self._programs(), self.portal.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.portal.process.wait()
        self.stop()

    def stop(self) -> None:
        """End what still runs, until its ports are free again (gunicorn's workers look up now and then)."""
        self._running.close()
        self._portal = None
        own_chain = "CHAIN_RPC_URL" not in self.settings
        ports = [int(self.settings[name]) for name in ("PORT", "LOCALCHAIN_PORT")[: 1 + own_chain]]
        wait_for(lambda: all(_is_free(port) for port in ports), "the ports to be free")

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """Freeze (SIGSTOP) the programs whose command line has one of these names. Thaw them at the end."""
        pids = [pid for name in names for pid in self.pids(name)]
        self._freeze(*pids)
        yield
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stop_worker(self) -> None:
        """Freeze the worker for good: what is queued waits until the portal starts again."""
        self._freeze(*self.pids("-A medrec worker"))

    def _freeze(self, *pids: int) -> None:
        """Stop programs where they stand, but not in a transaction: no other could write."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        while self._is_locked():
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.1)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)

    def _is_locked(self) -> bool:
        """Return whether somebody stands in a transaction of the database file."""
        file = self.var / "medrec.sqlite3"
        if not file.exists():  # the tests run on servers
            return False
        with closing(sqlite3.connect(file, timeout=1, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
        return False

    def pids(self, name: str) -> list[int]:
        """The processes whose command line has this name. There must be some."""
        found = [pid for pid in self._programs() + self.others if name.encode() in _command(pid)]
        assert found, f"no process runs {name}"
        return found

    def _programs(self) -> list[int]:
        """Every process below the manager."""
        programs = self.portal.children()
        return [child for program in programs for child in children_of(program)] + programs

    def make_administrator(self, address: str) -> None:
        """`manage.py createsuperuser`, as docs/OPERATIONS.md says."""
        who = ["--noinput", "--email", address, "--name", "Ann Admin"]
        self.manage("createsuperuser", *who, DJANGO_SUPERUSER_PASSWORD=PASSWORD)

    def manage(self, *arguments: str, **environment: str) -> None:
        """Run `manage.py` with the portal's settings."""
        self._manage(*arguments, check=True, **environment)

    def say(self, *arguments: str, **environment: str) -> str:
        """Run `manage.py` with the portal's settings. Return all that it printed, also when it failed."""
        done = self._manage(*arguments, check=False, **environment)
        return done.stdout.decode() + done.stderr.decode()

    def _manage(
        self, *arguments: str, check: bool, **environment: str
    ) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "manage.py", *arguments]
        settings = portal_environment(self.var) | self.settings | environment
        return subprocess.run(command, cwd=ROOT, env=settings, check=check, capture_output=True, timeout=180)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
