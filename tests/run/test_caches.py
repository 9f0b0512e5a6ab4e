"""A cache never fails a call: a Redis that is away, hangs or is full, a folder that takes no file."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.test import Client
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from rest_framework.throttling import SimpleRateThrottle, UserRateThrottle

from accounts.services import signup, tokens
from chain.localchain.node import free_port
from chain.support import breaker
from medrec.caches import FileCache, RedisCache
from tests.people import PASSWORD, make_person
from tests.servers.redis import RedisServer, require_redis


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A server."""
    with RedisServer(require_redis()) as server:
        yield server


def redis_cache(url: str) -> RedisCache:
    """A cache as the settings make it, with less patience."""
    once = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return RedisCache(url, {"OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": once}})


def use_all(cache: BaseCache) -> None:
    """Every operation does what it says."""
    cache.clear()
    assert cache.get("a") is None
    assert cache.add("a", 1)
    assert not cache.add("a", 2)
    assert cache.incr("a", 2) == 3
    assert cache.decr("a") == 2
    cache.set("b", ["x"], 60)
    assert cache.get_many(["a", "b", "c"]) == {"a": 2, "b": ["x"]}
    assert cache.has_key("b")
    assert "c" not in cache
    assert cache.touch("b", 60)
    assert cache.get_or_set("d", 4) == 4
    cache.set_many({"e": 5, "f": 6})
    cache.delete_many(["e", "b"])
    assert cache.get("f") == 6
    assert cache.delete("f")
    assert not cache.delete("f")
    with pytest.raises(ValueError, match="e"):
        cache.incr("e")
    cache.clear()
    assert not cache.has_key("a")


def count_failures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the failures that a breaker was told of."""
    seen: list[str] = []
    note = breaker.Breaker.note_failure

    def note_failure(self: breaker.Breaker, error: Exception) -> None:
        seen.append(type(error).__name__)
        note(self, error)

    monkeypatch.setattr(breaker.Breaker, "note_failure", note_failure)
    return seen


def test_it_is_a_cache(redis: RedisServer, tmp_path: Path) -> None:
    use_all(redis_cache(redis.url(1)))
    use_all(FileCache(str(tmp_path), {}))


def test_a_redis_that_is_away_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = count_failures(monkeypatch)
    use_all(redis_cache(f"redis://127.0.0.1:{free_port()}/0"))
    assert failures == ["ConnectionError"], "asked once, and not again for a while"


def test_a_redis_that_hangs_costs_one_call_its_deadline(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = redis_cache(redis.url(2))
    cache.set("known", 1)
    failures = count_failures(monkeypatch)
    with redis.frozen():
        use_all(cache)
        use_all(redis_cache(redis.url(2)))  # another thread's object
    assert failures == ["TimeoutError"]


def test_one_call_asks_again_and_then_all_do(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE", 0.2)
    cache, failures = redis_cache(redis.url(3)), count_failures(monkeypatch)
    cache.set("kept", 1)
    redis.stop()
    assert cache.get("kept") is None
    threading.Event().wait(0.3)
    assert cache.get("kept") is None
    assert cache.get("kept") is None
    assert len(failures) == 2
    redis.start()
    threading.Event().wait(0.3)
    assert cache.get("kept") == 1
    assert len(failures) == 2


def test_a_redis_that_was_restarted_is_no_failure(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, failures = redis_cache(redis.url(4)), count_failures(monkeypatch)
    cache.set("kept", 1)
    redis.stop()
    redis.start()
    assert cache.get("kept") == 1
    assert failures == []


@pytest.mark.parametrize("refusal", [{"maxmemory": "1"}, {"min-replicas-to-write": "1"}])
def test_a_redis_that_takes_no_writes_fails_nothing(redis: RedisServer, refusal: dict[str, str]) -> None:
    cache = redis_cache(redis.url(5 + len(refusal)))
    client: Any = cache._cache.get_client()
    (name,), (before,) = refusal, client.config_get(*refusal).values()
    client.config_set(name, refusal[name])
    try:
        cache.set("a", 1)
        assert cache.get("a") == 1
        use_all(cache)
    finally:
        client.config_set(name, before)


def test_files_that_cannot_be_written_or_read_fail_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.write_text("not a folder")
    use_all(FileCache(str(folder), {}))
    other = FileCache(str(tmp_path / "other"), {})
    for torn in (b"\x80torn", b"", None):
        other.set("a", 1)
        (file,) = (tmp_path / "other").iterdir()
        file.write_bytes(torn if torn is not None else file.read_bytes()[:-4])
        assert other.get("a") is None
        assert not file.exists()
        assert other.add("a", 2)


@pytest.mark.django_db
@pytest.mark.usefixtures("chain")
def test_the_api_answers_and_still_counts_without_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was a 500 for every call: the throttle asks the cache."""
    user = make_person()
    actor = signup.open_actor(user, PASSWORD)
    _, secret = tokens.make_token(actor=actor, name="t", scope="read", days=1)
    away = redis_cache(f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setattr(SimpleRateThrottle, "cache", away)
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "3/min"})
    answers = [
        Client().get("/api/v1/records", headers={"Authorization": f"Bearer {secret}"}).status_code
        for _ in range(4)
    ]
    assert answers == [200, 200, 200, 429]
