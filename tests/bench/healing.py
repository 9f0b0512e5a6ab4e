"""Seconds until all is well again after a fault: the longest of the fault programme's short run."""

import os
import tempfile
from pathlib import Path

SEED = 20_261
LIMITS = {"heal_max_s": 60.0, "heal_problems": 0.0}


def measure() -> dict[str, float]:
    """Play each scenario once."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from tests.faults.running import play
    from tests.faults.scenarios import SHORT

    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "migrated.sqlite3"
        verdicts = [
            play(name, rounds=scenario.rounds, seed=SEED, template=template)
            for name, scenario in SHORT.items()
        ]
    return {
        "heal_max_s": max(verdict.healed for verdict in verdicts),
        "heal_problems": float(sum(len(verdict.problems) for verdict in verdicts)),
    }
