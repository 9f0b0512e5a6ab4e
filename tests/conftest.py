"""What tests of every folder share: one node and contract, and one browser, for the whole run.

And which tests run again on servers: `python -m tests.servers -- pytest -m servers`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache

from tests.browser.chromium import chromium
from tests.chain_node import chain, chain_node

__all__ = ["chain", "chain_node", "chromium"]

_ROOT = Path(__file__).parent
_WHOLE_PORTALS = {"browser", "faults", "leaks", "run", "story"}  # they start it, with its database and queue


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches a database, a queue or the cache; keep what shares a portal in one process."""
    for item in items:
        folder = item.path.relative_to(_ROOT).parts[0]
        fixtures = getattr(item, "fixturenames", ())
        if folder in _WHOLE_PORTALS or "db" in fixtures or item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.servers)
        if folder in _WHOLE_PORTALS | {"geth"}:
            item.add_marker(
                pytest.mark.xdist_group(folder if folder == "browser" else f"{folder}/{item.path.stem}")
            )


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """A cache in the database goes back with it after each test; another one is emptied."""
    yield
    if "redis" in settings.CACHES["default"]["BACKEND"]:
        cache.clear()
