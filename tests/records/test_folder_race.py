"""Fifty threads that upload, share and stop sharing at once: nothing that was accepted fails by itself."""

from pathlib import Path

import pytest

from tests.records.folder_race import THREADS
from tests.records.racing import run_race


@pytest.mark.servers
@pytest.mark.slow
def test_no_act_that_was_accepted_fails_because_another_was(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    template = tmp_path_factory.getbasetemp() / "migrated.sqlite3"
    left = run_race("tests.records.folder_race", tmp_path, template)
    assert THREADS == 50
    assert set(left["said"]) <= {"done", "FolderMoved", "Conflict", "AccessRefused"}, left
    assert left["said"]["done"] > THREADS // 2, left
    assert {words.split(" ", 1)[1] for words in left["acts"]} == {"confirmed"}, left
    assert left["epoch"] > 0
    assert (left["unread"], left["leaver"], left["revoked_stay"], left["tasks"]) == (0, False, 0, []), left
