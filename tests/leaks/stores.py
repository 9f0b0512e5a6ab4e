"""Reads a portal's database and its Redis past Django."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.servers.share import own_share

_POSTGRES_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
_SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


@dataclass(frozen=True)
class Database:
    """A SQLite file, by its path, or a PostgreSQL database, by its URL."""

    place: str

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """A query's rows."""
        if self._on_server:
            with psycopg.connect(self.place) as connection:
                return connection.execute(query.encode()).fetchall()
        with closing(sqlite3.connect(f"file:{self.place}?mode=ro", uri=True)) as file:
            return file.execute(query).fetchall()

    def tables(self) -> list[str]:
        """The names of its tables."""
        return [name for (name,) in self.read(_POSTGRES_TABLES if self._on_server else _SQLITE_TABLES)]

    @property
    def _on_server(self) -> bool:
        return self.place.startswith("postgres://")


def database_of(var: Path) -> Database:
    """The database of the portal whose state is in this folder."""
    return Database(own_share(var).get("DATABASE_URL") or str(var / "medrec.sqlite3"))


def redis_of(var: Path) -> Iterator[tuple[str, bytes]]:
    """Every entry of the portal's queue and cache on Redis, if it has them there."""
    share = own_share(var)
    for name, url in (("queue", share.get("CELERY_BROKER_URL")), ("cache", share.get("CACHE_URL"))):
        if url is None:
            continue
        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter():
                yield f"{name} {key.decode()}", key + b"\n" + b"\n".join(_values(client, key))


def _values(client: "redis.Redis", key: bytes) -> list[bytes]:
    """An entry's values. `DUMP` would compress the long ones."""
    kind: Any = client.type(key)
    found: list[Any] = []
    if kind == b"list":
        found += client.lrange(key, 0, -1)
    elif kind == b"hash":
        found += client.hvals(key)
    elif kind == b"zset":
        found += client.zrange(key, 0, -1)
    elif kind == b"set":
        found += client.smembers(key)
    else:
        found.append(client.get(key) or b"")
    return [value for value in found if isinstance(value, bytes)]
