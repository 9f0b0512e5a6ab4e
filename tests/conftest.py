"""Fixtures of every folder: one node and contract, and one browser, for the whole run.

And which tests run again on servers: `python -m tests.servers -- pytest -m servers`.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.db import connection
from hypothesis import settings as budget
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from chain.restore import incarnation
from chain.restore.witness import witness_folder
from chain.support import wakeup
from tests.browser.chromium import chromium
from tests.chain_node import chain, chain_node

__all__ = ["chain", "chain_node", "chromium"]

# A file has one portal, or a story's steps.
_SHARED_PORTALS = {"deploy", "geth", "leaks", "run", "servers", "story"}
_SHARED_FIXTURES = {"tests/chain/test_resync.py", "tests/exploits/test_seeded_bugs.py"}
_WHOLE_PORTALS = {"faults", "leaks", "run", "story"}
# Not run again on servers: what touches neither database nor queue, pages whose services are tested there,
# and what has servers of its own.
_REPLAYED = (
    "tests/faults/test_scenarios.py::test_every_act_is_once_on_the_chain_and_the_tables_equal_a_replay"
)
_SAME_ANYWHERE = {
    "tests/accounts/test_headers.py",
    "tests/accounts/test_mails.py",
    "tests/accounts/test_passwords.py",
    "tests/faults/test_points.py",
    "tests/leaks/test_search.py",
    "tests/records/web/test_banner.py",
    "tests/records/web/test_bound_forms.py",
    "tests/records/web/test_observations.py",
    "tests/records/web/test_pasting.py",
    "tests/records/web/test_preview.py",
    "tests/records/web/test_refusal_page.py",
    "tests/records/web/test_upload.py",
    "tests/run/test_crowd.py",
    "tests/run/test_demo.py",
    "tests/run/test_demo_files.py",
    "tests/run/test_disk_full.py",
    "tests/run/test_file_queue.py",
    "tests/run/test_processes.py",
    "tests/run/test_restore.py",
    "tests/run/test_web_server.py",
    "tests/story/test_browser.py",
    "tests/story/test_open.py",
    f"{_REPLAYED}[outages]",
    f"{_REPLAYED}[two-machines]",
}

# A busy machine fails no property. The full check draws the same examples each time, `make test` new ones.
budget.register_profile("medrec", deadline=None, derandomize="MEDREC_REQUIRE_ALL" in os.environ)
budget.load_profile("medrec")


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of cores, 16 at most. One more is a little faster, and less steady."""
    return min(os.cpu_count() or 1, 16)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what touches a database, a queue or the cache."""
    if _SAME_ANYWHERE & {item.nodeid, item.nodeid.partition("::")[0]}:
        return
    whole = _folder(item.nodeid) in _WHOLE_PORTALS
    if whole or "db" in getattr(item, "fixturenames", ()) or item.get_closest_marker("django_db"):
        item.add_marker("servers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that share something come first: they take longest, and should not be waited for at the end."""
    items.sort(key=lambda item: _shared_by(item.nodeid) == item.nodeid)


class SharedTogether(LoadScopeScheduling):  # type: ignore[misc]
    """With several processes: what shares something goes to one, the rest to whichever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return _shared_by(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharedTogether:
    """Give pytest-xdist the scheduler by which it shares out the tests."""
    config.option.loadscopereorder = False  # the order above, not the largest first
    return SharedTogether(config, log)


def _shared_by(nodeid: str) -> str:
    """A name for the tests that share a portal, a chain or the steps of a story with this one."""
    folder, file = _folder(nodeid), nodeid.partition("::")[0]
    if folder == "browser":
        return folder
    return file if folder in _SHARED_PORTALS or file in _SHARED_FIXTURES else nodeid


def _folder(nodeid: str) -> str:
    """The folder of a test in tests/."""
    return nodeid.split("/")[1]


@pytest.fixture(autouse=True)
def _no_witness() -> None:
    """Each test has a database of its own: what this machine has seen of the last one's is gone."""
    incarnation._memory.clear()
    shutil.rmtree(witness_folder(), ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_life_from_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe asks on a connection of its own: a life that it began would stay on a server after the test."""
    if connection.vendor != "sqlite":
        names = vars(incarnation) | {"current": lambda: None}
        monkeypatch.setattr("chain.status.health_checks.incarnation", SimpleNamespace(**names))


@pytest.fixture(autouse=True)
def _patient_freshness(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs here: what the fixture `chain` has read may be as old as a slow test takes."""
    monkeypatch.setattr("chain.status.freshness.MOST_AGE", timedelta(minutes=30))


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    """Give each test an empty cache, and no memory that a broker has failed: a late timer may note that."""
    wakeup._broker.note_answer()
    yield
    cache.clear()
    wakeup._broker.note_answer()
