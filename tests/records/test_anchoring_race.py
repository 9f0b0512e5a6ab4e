"""Sweeps that anchor at once, in processes of their own: one act a round, each row numbered once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.records.anchoring_race import ROUNDS

ROOT = Path(__file__).resolve().parents[2]
RACE = """
import sys
from pathlib import Path
import django
django.setup()
from tests.records.anchoring_race import main
main(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.servers
def test_at_once_is_the_same_as_once(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    template = tmp_path_factory.getbasetemp() / "migrated.sqlite3"
    environment = {"DJANGO_SETTINGS_MODULE": "medrec.settings", "VAR": str(tmp_path), "LOG_LEVEL": "CRITICAL"}
    done = subprocess.run(
        [sys.executable, "-c", RACE, str(tmp_path), str(template)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    left = json.loads(done.stdout.splitlines()[-1])
    assert len(left["sizes"]) == ROUNDS  # one act a round, of more rows than the last
    assert left["sizes"] == sorted(set(left["sizes"]))
    assert left["positions"] == list(range(left["sizes"][-1]))
    assert (left["wrong"], left["logs"]) == (0, 1)
