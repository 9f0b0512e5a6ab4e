"""The servers that a portal stands on, each a real one that can be stopped, hang, and come back."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from chain.localchain.node import free_port
from tests.kubo.node import KuboNode, require_kubo
from tests.mail_server import MailServer, silent_server
from tests.servers.postgres import PostgresServer, require_postgres
from tests.servers.redis import RedisServer, require_redis
from tests.story.portal import StoryPortal, wait_for

Fault = Callable[[], AbstractContextManager[object]]


@dataclass
class MailParty:
    """A mail server on one port, and the mails that it took."""

    port: int = field(default_factory=free_port)
    server: MailServer = field(default_factory=MailServer)
    _up: ExitStack = field(default_factory=ExitStack)
    _read: int = 0

    def start(self) -> None:
        """Answer."""
        self._up.enter_context(self.server.running(self.port))

    def stop(self) -> None:
        """Refuse connections."""
        self._up.close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """It is down while the `with` lasts."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It takes connections and says nothing while the `with` lasts."""
        with self.away(), silent_server(self.port):
            yield

    def take_code(self, to: str) -> str:
        """The code in the oldest mail to this address that nobody took yet. Waits for one."""
        text = wait_for(lambda: self._next(to), f"a mail to {to}")
        (code,) = [line.strip() for line in text.splitlines() if line.strip().replace("-", "").isupper()]
        return code

    def _next(self, to: str) -> str:
        for place, (address, _, text) in enumerate(self.server.taken):
            if place >= self._read and address == to:
                self._read = place + 1
                return text
        return ""


@dataclass
class Parties:
    """All of them, running, and a portal that uses them."""

    mail: MailParty
    redis: RedisServer
    postgres: PostgresServer
    kubo: KuboNode
    portal: StoryPortal

    @property
    def faults(self) -> dict[str, Fault]:
        """Return the faults of each party. A fault ends with its `with`. The first make the short run."""
        return {
            "database restarted": lambda: _restarted(self.postgres),
            "mail server is silent": self.mail.silent,
            "cache and broker hang": self.redis.frozen,
            "store hangs": lambda: _hung(self.kubo.pid),
            "database hangs": self.postgres.frozen,
            "chain hangs": lambda: self.portal.frozen("chain.localchain"),
            "cache and broker away": lambda: _away(self.redis),
            "store away": lambda: _away(self.kubo),
            "mail server away": self.mail.away,
            "database away": lambda: _away(self.postgres),
        }


@contextmanager
def running_parties(portal: StoryPortal) -> Iterator[Parties]:
    """Start them all, and the portal."""
    with ExitStack() as running:
        mail = MailParty()
        mail.start()
        running.callback(mail.stop)
        redis = running.enter_context(RedisServer(require_redis()))
        postgres = running.enter_context(PostgresServer(require_postgres()))
        kubo = running.enter_context(KuboNode(require_kubo()))
        portal.settings |= {
            "EMAIL_URL": f"smtp://127.0.0.1:{mail.port}",
            "CACHE_URL": redis.url(0),
            "CELERY_BROKER_URL": redis.url(1),
            "DATABASE_URL": postgres.url("postgres"),
            "IPFS_API_URL": kubo.url,
        }
        portal.start()
        running.callback(portal.stop)
        yield Parties(mail, redis, postgres, kubo, portal)


@contextmanager
def _away(server: RedisServer | PostgresServer | KuboNode) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def _restarted(server: PostgresServer) -> Iterator[None]:
    server.stop()
    server.start()
    yield


@contextmanager
def _hung(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
