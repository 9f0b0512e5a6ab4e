"""A race of processes, run in one of its own: it forks what it needs, and shares nothing of pytest's."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RACE = """
import sys
from importlib import import_module
from pathlib import Path
import django
django.setup()
import_module(sys.argv[1]).main(Path(sys.argv[2]), Path(sys.argv[3]))
"""


def run_race(module: str, folder: Path, template: Path) -> Any:
    """Return the last line that the module's `main(folder, template)` prints, read as JSON."""
    environment = {"DJANGO_SETTINGS_MODULE": "medrec.settings", "VAR": str(folder), "LOG_LEVEL": "CRITICAL"}
    done = subprocess.run(
        [sys.executable, "-c", RACE, module, str(folder), str(template)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
