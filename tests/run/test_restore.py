"""`make run` says that its database was put back from a backup, and the worker does what that asks for."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.run.portal import run_portal

pytestmark = pytest.mark.slow

WITHIN = 120.0  # seconds, on a busy machine


def wait_for(is_true: Callable[[], bool], what: str) -> None:
    """Until it is true. AssertionError when it does not become so."""
    deadline = time.monotonic() + WITHIN
    while not is_true():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def copy(source: Path, target: Path) -> None:
    """A consistent copy of a database that is in use."""
    for end in ("", "-wal", "-shm"):
        target.with_name(target.name + end).unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def ticks(var: Path) -> int:
    """Return how far this machine has seen the database come."""
    return int(json.loads((var / "witness" / "seen").read_text())["tick"])


def test_a_restored_database_is_noticed_at_the_start(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with run_portal(var) as portal:
        assert "restored" not in portal.said()
        wait_for((var / "witness" / "seen").exists, "the worker notes nothing")
        copy(var / "medrec.sqlite3", tmp_path / "backup.sqlite3")
        seen = ticks(var)
        wait_for(lambda: ticks(var) > seen + 1, "the worker notes nothing more")
        assert portal.stop() == 0
    copy(tmp_path / "backup.sqlite3", var / "medrec.sqlite3")
    with run_portal(var) as portal:
        assert "The database was restored from a backup" in portal.said()
        wait_for(lambda: "people find on their pages" in portal.said(), f"not settled:\n{portal.said()}")
        assert portal.stop() == 0
    with run_portal(var) as portal:
        assert "The database was restored" not in portal.said(), "it is said once"
