"""Sweeps that anchor at once, in processes of their own: one act a round, each row numbered once."""

from pathlib import Path

import pytest

from tests.records.anchoring_race import ROUNDS
from tests.records.racing import run_race


@pytest.mark.servers
def test_at_once_is_the_same_as_once(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    template = tmp_path_factory.getbasetemp() / "migrated.sqlite3"
    left = run_race("tests.records.anchoring_race", tmp_path, template)
    assert len(left["sizes"]) == ROUNDS  # one act a round, of more rows than the last
    assert left["sizes"] == sorted(set(left["sizes"]))
    assert left["positions"] == list(range(left["sizes"][-1]))
    assert (left["wrong"], left["logs"]) == (0, 1)
