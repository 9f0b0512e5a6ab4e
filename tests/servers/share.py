"""Each running portal's own share of the servers: a database, a queue and a cache that no other one sees."""

import os
import re
from functools import cache
from pathlib import Path

import psycopg
import redis

_FIRST = 32  # the numbers below are those of the test processes' caches


@cache
def own_share(var: Path) -> dict[str, str]:
    """The settings of a portal whose state is in `var`. None where the tests run on the embedded parts.

    Asked again for the same folder, the answer is the same: the portal finds what it left.
    """
    share = {}
    if postgres := os.environ.get("DATABASE_URL"):
        share["DATABASE_URL"] = _new_database(postgres, var)
    if server := os.environ.get("CACHE_URL"):
        share["CELERY_BROKER_URL"], share["CACHE_URL"] = _numbered(server), _numbered(server)
    return share


def cache_of_worker(url: str) -> str:
    """The cache of this test process, of several side by side (pytest-xdist calls them gw0, gw1, ...)."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return _with_path(url, str(2 + int(worker.removeprefix("gw"))))


def _new_database(url: str, var: Path) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        (number,) = connection.execute("SELECT count(*) FROM pg_database").fetchone() or (0,)
        name = re.sub(r"\W+", "_", f"portal_{number}_{os.getpid()}_{var.name}")[:60]
        connection.execute(f'CREATE DATABASE "{name}"')
    return _with_path(url, name)


def _numbered(url: str) -> str:
    with redis.Redis.from_url(_with_path(url, "0")) as client:
        return _with_path(url, str(_FIRST + int(client.incr("portals of tests"))))


def _with_path(url: str, path: str) -> str:
    return f"{url.rpartition('/')[0]}/{path}"
