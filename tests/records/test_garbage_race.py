"""Uploads against the collector, in processes of their own: what is named is there."""

from pathlib import Path

import pytest

from tests.records.racing import run_race


@pytest.mark.servers
def test_nothing_that_is_named_is_ever_missing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    template = tmp_path_factory.getbasetemp() / "migrated.sqlite3"
    left = run_race("tests.records.garbage_race", tmp_path, template)
    assert left["found"] == left["named"] != []  # at least the last of all
    assert left["erased"] > 10  # they have met
