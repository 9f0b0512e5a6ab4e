"""A PostgreSQL server for tests: a temporary cluster, loopback only."""

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from chain.localchain.node import free_port
from chain.localchain.tether import tie_to_parent
from tests.requirements import require_tool
from tests.run.portal import children_of

USER = "medrec"
START_SECONDS = 60.0
_DEBIAN = Path("/usr/lib/postgresql")  # Debian keeps its server's programs out of PATH
_TROUBLE = re.compile(r"PANIC|terminated by signal|No space left|out of (shared )?memory")
# A test's cluster is thrown away: it need not survive a loss of power.
_OPTIONS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "logging_collector": "off"}


def require_postgres() -> Path:
    """The folder of initdb and postgres. Without them the test is skipped (see `require_tool`)."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    found = shutil.which("initdb", path=os.pathsep.join([*map(str, versions), os.environ.get("PATH", "")]))
    return require_tool("PostgreSQL", Path(found).parent if found else None, "apt-get install postgresql")


class PostgresServer:
    """Runs a server while its `with` lasts. Its one role may make databases."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = tempfile.TemporaryDirectory(prefix="medrec-postgres-")
        self._password = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def url(self, database: str) -> str:
        """Return DATABASE_URL for a database of this server."""
        return f"postgres://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def trouble(self) -> list[str]:
        """Return the log's lines on failures of the server itself: a crash, a full disk."""
        log = (Path(self._folder.name) / "log").read_text(errors="replace")
        return [line for line in log.splitlines() if _TROUBLE.search(line)]

    def __enter__(self) -> Self:
        folder, runs_as = Path(self._folder.name), _unprivileged_user()
        password = folder / "password"
        password.write_text(self._password)
        if runs_as is not None:
            for path in (folder, password):
                shutil.chown(path, runs_as)
        initdb = [str(self._programs / "initdb"), "--pgdata", str(folder / "data"), "--username", USER]
        initdb += ["--auth", "scram-sha-256", "--pwfile", str(password), "--no-sync"]
        initdb += ["--encoding", "UTF8", "--locale", "C.UTF-8"]
        done = subprocess.run(
            initdb, user=runs_as, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr}")
        self.start()
        return self

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError when it does not."""
        folder, runs_as = Path(self._folder.name), _unprivileged_user()
        options = _OPTIONS | {"port": str(self.port), "listen_addresses": "127.0.0.1"}
        options["unix_socket_directories"] = str(folder)
        command = [str(self._programs / "postgres"), "-D", str(folder / "data")]
        command += [f"--{name}={value}" for name, value in options.items()]
        log = folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                user=runs_as,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=tie_to_parent(),
                start_new_session=True,
            )
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(ready).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)  # waits for clients; a second signal would cut them off
            except subprocess.TimeoutExpired:
                self.stop()
        self._folder.cleanup()

    def stop(self) -> None:
        """Stop it, if it runs, and cut its clients off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing while the `with` lasts (SIGSTOP)."""
        if self._process is None:
            raise RuntimeError("PostgreSQL does not run")
        self._process.send_signal(signal.SIGSTOP)
        backends = children_of(self._process.pid)
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in backends:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self._process.send_signal(signal.SIGCONT)


def _unprivileged_user() -> str | None:
    """Whom to run as: PostgreSQL refuses root. None: as we are."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
