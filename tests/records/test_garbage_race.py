"""Uploads against the collector, in processes of their own: what is named is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RACE = """
import sys
from pathlib import Path
import django
django.setup()
from tests.records.garbage_race import main
main(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.servers
def test_nothing_that_is_named_is_ever_missing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
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
    assert left["found"] == left["named"] != []  # at least the last of all
    assert left["erased"] > 10  # they have met
