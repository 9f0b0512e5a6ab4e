"""A portal behind https. Settings are read once, so a process of its own asks it."""

import os
import subprocess
import sys
from pathlib import Path


def test_what_is_sent_over_https() -> None:
    file = Path(__file__).with_name("over_https.py")
    environment = os.environ | {"PUBLIC_URL": "https://testserver", "BEHIND_PROXY": "1"}
    told = subprocess.run(
        [sys.executable, "-m", "pytest", str(file), "-p", "no:cacheprovider", "-n", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "3 passed" in told.stdout
