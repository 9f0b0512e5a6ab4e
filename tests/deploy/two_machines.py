"""Two machines made ready by the steps of docs/OPERATIONS.md, on real servers, with nginx in front."""

import os
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from chain.localchain.node import free_port
from tests.deploy.machines import Machine
from tests.deploy.nginx import NginxServer, require_nginx
from tests.geth.build import GETH
from tests.geth.node import GethNode
from tests.kubo.node import KuboNode, require_kubo
from tests.servers.postgres import PostgresServer, require_postgres
from tests.servers.redis import RedisServer, require_redis
from tests.story.plain import Api, PlainVisitor
from tests.story.portal import Mailbox, wait_for

LETTER = {"title": "Letter", "kind": "11488-4", "file_name": "letter.txt"}
SECONDS = 180.0
_OUTBOX = (
    "SELECT kind, state, error_code, error, count(*) FROM chain_act GROUP BY 1, 2, 3, 4",
    "SELECT address, lease, paused_reason, held, balance FROM chain_sender",
    "SELECT nonce, state, alarm, block_number, created_at FROM chain_transaction ORDER BY id DESC",
    "SELECT hash, state, cancels, sent_at, sent_block FROM chain_attempt ORDER BY id DESC",
    "SELECT seen, applied, head, head_time, error, checked_at, now() FROM chain_cursor",
)
AWAY_SECONDS, HANGING_SECONDS = 3.0, 15.0


@dataclass
class Site:
    """The machines and everything that they stand on."""

    folder: Path
    postgres: PostgresServer
    redis: RedisServer
    kubo: KuboNode
    geth: GethNode
    nginx: NginxServer
    machines: list[Machine]

    @property
    def mailbox(self) -> Mailbox:
        """All mails."""
        return Mailbox(self.folder / "mail")

    def wait_ready(self) -> None:
        """Until every machine says by /readyz that it is well."""
        for machine in self.machines:
            wait_for(machine.is_ready, f"{machine.folder.name} to be ready", SECONDS)

    def outbox(self) -> list[str]:
        """Return the rows that say why acts wait, a line each."""
        lines = []
        with psycopg.connect(self.postgres.url("medrec")) as connection:
            for query in _OUTBOX:
                lines += [f"{query}: {row}" for row in connection.execute(query).fetchmany(10)]
        return lines

    def restart_nginx(self) -> None:
        """`kill -9`, and start it again."""
        self.nginx.kill()
        self.nginx.start()

    def restart_postgres(self) -> None:
        """Cut every connection, be away for a moment, come back."""
        self.postgres.stop()
        time.sleep(AWAY_SECONDS)
        self.postgres.start()

    def restart_kubo(self) -> None:
        """Stop it, come back."""
        self.kubo.stop()
        time.sleep(AWAY_SECONDS)
        self.kubo.start()

    def restart_geth(self) -> None:
        """`kill -9`: it comes back without its newest blocks, or without any."""
        self.geth.kill()
        time.sleep(AWAY_SECONDS)
        self.geth.start()

    def hang_geth(self) -> None:
        """Let it take connections and answer nothing for a while."""
        os.kill(self.geth.pid, signal.SIGSTOP)
        time.sleep(HANGING_SECONDS)
        os.kill(self.geth.pid, signal.SIGCONT)

    def register(self, name: str, email: str) -> tuple[PlainVisitor, Api]:
        """A person with an account and a token, through nginx."""
        visitor = PlainVisitor(self.nginx.url, self.mailbox, name, email)
        visitor.register()
        return visitor, visitor.make_token()


@contextmanager
def two_machines(folder: Path) -> Iterator[Site]:
    """Start the servers, and make two machines ready as the page says."""
    with ExitStack() as stack:
        site = _servers(folder, stack)
        first, second = site.machines
        first.manage("migrate")
        relayer = re.search(r"relayer.key of address (0x\w+)", first.manage("make_keys"))
        assert relayer
        site.geth.fund(relayer[1], ether=100)
        first.manage("deploy_contract")
        (first.var / "keys" / "admin.key").unlink()
        shutil.copytree(first.var / "keys", second.var / "keys")
        for machine in site.machines:
            machine.manage("collectstatic", "--noinput")
        first.start("web", "worker", "beat")
        second.start("web", "worker")
        site.wait_ready()
        for machine in site.machines:
            machine.manage("check", "--deploy", "--database", "default", "--fail-level", "ERROR")
        yield site


def _servers(folder: Path, stack: ExitStack) -> Site:
    ports = [free_port(), free_port()]
    postgres = stack.enter_context(PostgresServer(require_postgres()))
    redis = stack.enter_context(RedisServer(require_redis()))
    kubo = stack.enter_context(KuboNode(require_kubo()))
    geth = stack.enter_context(GethNode(GETH.require()))
    nginx = stack.enter_context(NginxServer(require_nginx(), ports))
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setenv("SSL_CERT_FILE", str(nginx.certificate))
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE medrec")
    settings = {
        "PUBLIC_URL": nginx.url,
        "ALLOWED_HOSTS": "localhost",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "DATABASE_URL": postgres.url("medrec"),
        "CELERY_BROKER_URL": redis.url(0),
        "CACHE_URL": redis.url(1),
        "IPFS_API_URL": kubo.url,
        "CHAIN_RPC_URL": geth.url,
        "EMAIL_URL": f"filemail:///{folder / 'mail'}",
        "UPLOAD_STAGING_PATH": str(folder / "staging"),
        "METRICS_TOKEN": secrets.token_urlsafe(24),
    }
    names = ["first", "second"]
    machines = [Machine(folder / name, settings, port) for name, port in zip(names, ports, strict=True)]
    for machine in machines:
        stack.callback(machine.stop)
    return Site(folder, postgres, redis, kubo, geth, nginx, machines)


@dataclass
class Sender:
    """Sends small records all the while, and notes what was accepted, and what was not and why."""

    api: Api
    accepted: dict[str, bytes] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    longest_gap: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def sending(self) -> Iterator["Sender"]:
        """Send while the `with` lasts."""
        thread = threading.Thread(target=self._send)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(SECONDS)

    def wait_for_more(self, what: str, count: int = 3) -> None:
        """Until this many more were accepted."""
        wanted = len(self.accepted) + count
        wait_for(lambda: len(self.accepted) >= wanted, f"{count} records accepted after {what}", SECONDS)

    def wait_all_confirmed(self) -> None:
        """Until every accepted record is confirmed."""
        for record in self.accepted:
            self.api.wait_for_state(f"records/{record}", "confirmed")

    def listed(self) -> list[str]:
        """The ids of all the records that the portal lists."""
        return [record["id"] for record in self.api.get("records").json()]

    def _send(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(0.2):
            content = f"record {len(self.accepted)} {os.urandom(8).hex()}".encode()
            try:
                self.accepted[self.api.upload(content, **LETTER)] = content
            except (AssertionError, OSError) as problem:
                self.refused.append(str(problem)[:200])
                continue
            now = time.monotonic()
            self.longest_gap, last = max(self.longest_gap, now - last), now
