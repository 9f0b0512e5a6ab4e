"""Caches that never fail a call: while one does not work, each process counts for itself.

What is kept in the cache are counts for rate limits and notes that may be lost. A server that hangs costs one
call its deadline. The others, and those of the next seconds, go to the process's own memory at once.
"""

from pathlib import Path
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache as DjangoRedisCache
from redis.exceptions import RedisError

from chain.support.breaker import Breaker

OPERATIONS = (
    "add",
    "delete",
    "delete_many",
    "get",
    "get_many",
    "has_key",
    "incr",
    "set",
    "set_many",
    "touch",
)


_breakers: dict[str, Breaker] = {}


class ForgivingCache(BaseCache):
    """A cache whose failures send a call to the process's own memory. Goes in front of a backend's class."""

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, place: str, params: dict[str, Any]) -> None:
        self._memory = LocMemCache(f"instead-of-{place}", params)
        self._breaker = _breakers.setdefault(place, Breaker(f"the cache ({type(self).__name__})"))
        super().__init__(place, params)  # type: ignore[call-arg,arg-type]

    def clear(self) -> None:
        """Clear both."""
        self._memory.clear()
        self._ask("clear")

    def _ask(self, operation: str, *args: Any, **named: Any) -> Any:
        if self._breaker.may_ask():
            try:
                answer = getattr(super(), operation)(*args, **named)
            except self.failures as error:
                self._breaker.note_failure(error)
            else:
                self._breaker.note_answer()
                return answer
        return getattr(self._memory, operation)(*args, **named)


def _forgiving(operation: str) -> Any:
    def call(self: ForgivingCache, *args: Any, **named: Any) -> Any:
        return self._ask(operation, *args, **named)

    call.__name__ = operation
    return call


for _operation in OPERATIONS:
    setattr(ForgivingCache, _operation, _forgiving(_operation))


class SoundFileCache(FileBasedCache):
    """Django's cache in files, for which a damaged file is one that has expired."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return what is kept, or the default."""
        try:
            return super().get(key, default, version)
        except OSError:
            raise
        except Exception:  # pickle raises almost any error
            super().delete(key, version)
            return default

    def _is_expired(self, f: Any) -> bool:
        try:
            return bool(super()._is_expired(f))  # type: ignore[misc]
        except OSError:
            raise
        except Exception:
            Path(f.name).unlink(missing_ok=True)
            return True


class FileCache(ForgivingCache, SoundFileCache):
    """Files in a folder. A disk that is full fails nothing."""

    def _createdir(self) -> None:
        try:
            super()._createdir()  # type: ignore[misc]
        except OSError as error:
            self._breaker.note_failure(error)


class RedisCache(ForgivingCache, DjangoRedisCache):
    """A Redis server that may be away, hang, be full or refuse."""

    failures = (OSError, RedisError)
