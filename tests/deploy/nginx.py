"""A real nginx in front of portals: deploy/nginx as it stands, with the site's own values changed."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from chain.localchain.node import free_port
from chain.localchain.tether import tie_to_parent
from tests.deploy.certificates import write_certificate
from tests.records.watching import family
from tests.requirements import require_tool
from tests.run.portal import ROOT, children_of

START_SECONDS = 30.0
SOURCE = ROOT / "deploy" / "nginx"
# What Debian's own nginx.conf says around a site, with every file in a folder of the test's.
_MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/temporary/body;
    proxy_temp_path {folder}/temporary/proxy;
    fastcgi_temp_path {folder}/temporary/fastcgi;
    uwsgi_temp_path {folder}/temporary/uwsgi;
    scgi_temp_path {folder}/temporary/scgi;
    include {folder}/medrec-site.conf;
}}
"""


def require_nginx() -> Path:
    """The nginx binary. Without it the test is skipped (see `require_tool`)."""
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return require_tool("nginx", Path(binary) if binary else None, "apt-get install nginx-light")


class NginxServer:
    """Runs nginx while its `with` lasts, with TLS, before web servers on these ports of this machine.

    `without` is a line that it leaves out of medrec.conf.
    """

    def __init__(self, binary: Path, ports: Sequence[int], *, without: str = "") -> None:
        self._binary = binary
        self._ports = list(ports)
        self._without = without
        self._temporary = tempfile.TemporaryDirectory(prefix="medrec-nginx-")
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(self._temporary.name)
        self.certificate, _ = write_certificate(self.folder)
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.plain_url = f"http://localhost:{self.plain_port}"

    @property
    def pids(self) -> list[int]:
        """The master and its workers."""
        assert self._process is not None
        return family(self._process.pid)

    def errors(self) -> str:
        """Return its log of warnings and worse."""
        return (self.folder / "error.log").read_text()

    def requests(self) -> str:
        """Its access log."""
        return (self.folder / "access.log").read_text()

    def start(self) -> None:
        """Start it and wait until it listens. Raises RuntimeError when it does not."""
        command = [str(self._binary), "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, preexec_fn=tie_to_parent(), start_new_session=True
        )
        deadline = time.monotonic() + START_SECONDS
        while not (self.folder / "nginx.pid").exists() or not children_of(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not start: {self.errors()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """`kill -9` of the master and its workers."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        (self.folder / "nginx.pid").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        (self.folder / "temporary").mkdir()
        (self.folder / "nginx.conf").write_text(_MAIN.format(folder=self.folder))
        (self.folder / "medrec-site.conf").write_text(self._site())
        settings = (SOURCE / "medrec.conf").read_text()
        assert self._without in settings
        (self.folder / "medrec.conf").write_text(settings.replace(self._without, ""))
        if os.geteuid() == 0:  # the workers are nobody's
            self.folder.chmod(0o755)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=30)
        self._temporary.cleanup()

    def _site(self) -> str:
        """The site's file, with this test's addresses in the places that its readers change."""
        text = (SOURCE / "medrec-site.conf").read_text()
        own = {
            "    server 10.0.0.11:8000 max_fails=1 fail_timeout=5s;\n": "".join(
                f"    server 127.0.0.1:{port} max_fails=1 fail_timeout=5s;\n" for port in self._ports
            ),
            "    server 10.0.0.12:8000 max_fails=1 fail_timeout=5s;\n": "",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "https://medrec.example.org": self.url,
            "medrec.example.org": "localhost",
            "/etc/ssl/medrec/": f"{self.folder}/",
        }
        for example, value in own.items():
            assert example in text, example
            text = text.replace(example, value)
        return text
