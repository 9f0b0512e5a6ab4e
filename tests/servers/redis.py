"""A Redis server for tests: a temporary folder, loopback only."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from chain.localchain.node import free_port
from chain.localchain.tether import tie_to_parent
from tests.requirements import require_tool

DATABASES = 512
START_SECONDS = 30.0


def require_redis() -> Path:
    """The redis-server binary. Without it the test is skipped (see `require_tool`)."""
    found = shutil.which("redis-server")
    return require_tool("Redis", Path(found) if found else None, "apt-get install redis-server")


class RedisServer:
    """Runs a server while its `with` lasts. Stop and start keep what it holds."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self._folder = tempfile.TemporaryDirectory(prefix="medrec-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def url(self, number: int) -> str:
        """Return CELERY_BROKER_URL or CACHE_URL for one of its numbered databases."""
        return f"redis://127.0.0.1:{self.port}/{number}"

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError when it does not."""
        log = Path(self._folder.name) / "log"
        command = [str(self._binary), "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", self._folder.name, "--databases", str(DATABASES)]
        command += ["--save", "", "--appendonly", "yes"]
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
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it, if it runs, as a service manager does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing while the `with` lasts (SIGSTOP)."""
        if self._process is None:
            raise RuntimeError("Redis does not run")
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()
