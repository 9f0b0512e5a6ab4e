"""clamd on a Unix socket and a loopback port, which knows one malware: the EICAR test file. No download."""

import getpass
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from shutil import which
from typing import Self

from chain.localchain.node import free_port
from tests.requirements import require_tool

# A harmless file that every scanner is to find (eicar.org); in two halves, so that none finds it here.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-" + b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "MedRec.Test.EICAR"
STREAM_MAX = 2 * 1024**2  # bytes of a file that this scanner takes
START_TIMEOUT = 60  # seconds


class Clamd:
    """Runs a scanner while its `with` lasts. `url` and `tcp_url` are its addresses."""

    def __init__(self, folder: Path) -> None:
        found = which("clamd", path=f"{os.environ['PATH']}:/usr/sbin")
        how = "apt-get install clamav-daemon"
        self._binary = require_tool("clamd", Path(found) if found else None, how)
        self._folder, self._socket = folder, folder / "clamd.sock"
        self._process: subprocess.Popen[bytes] | None = None
        port = free_port()
        self.url, self.tcp_url = f"unix://{self._socket}", f"tcp://127.0.0.1:{port}"
        database = folder / "database"
        database.mkdir(parents=True)
        (database / "medrec.ndb").write_text(f"{NAME}:0:*:{EICAR[:40].hex()}\n")
        lines = [
            "Foreground yes",
            f"User {getpass.getuser()}",
            f"DatabaseDirectory {database}",
            f"LocalSocket {self._socket}",
            "TCPAddr 127.0.0.1",
            f"TCPSocket {port}",
            f"StreamMaxLength {STREAM_MAX}",
            f"TemporaryDirectory {folder}",
        ]
        (folder / "clamd.conf").write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        command = [str(self._binary), "--config-file", str(self._folder / "clamd.conf")]
        log = self._folder / "clamd.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"clamd did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It takes connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(1)
            try:
                asking.connect(str(self._socket))
                asking.sendall(b"zPING\0")
                return asking.recv(16) == b"PONG\0"
            except OSError:
                return False
