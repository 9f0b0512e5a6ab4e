"""The servers that a run shares, as a portal of several machines stands on them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kubo.node import KuboNode, require_kubo
from tests.servers.postgres import PostgresServer, require_postgres
from tests.servers.redis import RedisServer, require_redis


@contextmanager
def servers() -> Iterator[None]:
    """Run PostgreSQL, Redis and Kubo while the `with` lasts, and name them in the environment."""
    with (
        PostgresServer(require_postgres()) as postgres,
        RedisServer(require_redis()) as redis,
        KuboNode(require_kubo()) as kubo,
    ):
        os.environ |= {
            "DATABASE_URL": postgres.url("postgres"),
            "CACHE_URL": redis.url(0),
            "IPFS_API_URL": kubo.url,
        }
        yield
