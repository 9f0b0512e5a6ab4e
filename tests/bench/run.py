"""Seconds from `make run` to the address on the terminal: with nothing there, and the second time."""

import tempfile
from pathlib import Path

from tests.run.portal import run_portal

LIMITS = {"second_start_seconds": 15.0}


def measure() -> dict[str, float]:
    """Start an empty portal with its demo, stop it, start it again."""
    with tempfile.TemporaryDirectory() as folder:
        with run_portal(Path(folder), demo=True) as first:
            first.stop()
        with run_portal(Path(folder), demo=True) as second:
            second.stop()
    return {"first_start_seconds": first.seconds, "second_start_seconds": second.seconds}
