"""Data that the last release's own code made, and that this code has to go on with."""

from pathlib import Path

RELEASE = "0.9.0"
FOLDER = Path(__file__).parent
DATA = FOLDER / f"{RELEASE}.tar.xz"
TOLD = "told.json"  # beside the data: what a test has to find again
