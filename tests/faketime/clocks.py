"""The clocks of a portal's programs, each an offset in a file."""

from datetime import timedelta
from pathlib import Path

from tests.requirements import require_tool

PROGRAMS = ("web", "worker", "beat", "chain")
_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class Clocks:
    """Sets the programs' clocks, now and while they run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.step(timedelta())

    def settings(self) -> dict[str, str]:
        """Return the variables that a portal's environment needs for it."""
        library = require_tool("libfaketime", next(iter(_LIBRARIES), None), "apt-get install libfaketime")
        return {
            "PYTHONPATH": str(Path(__file__).with_name("programs")),
            "FAKETIME_LIBRARY": str(library),
            "FAKETIME_FOLDER": str(self._folder),
        }

    def set(self, **offsets: timedelta) -> None:
        """Set the clocks of the programs of these names; they notice within a second."""
        for name, offset in offsets.items():
            assert name in PROGRAMS, name
            draft = self._folder / f"{name}.draft"
            draft.write_text(f"{offset.total_seconds():+.0f}\n")
            draft.replace(self._folder / name)

    def step(self, offset: timedelta) -> None:
        """Set all clocks alike."""
        self.set(**dict.fromkeys(PROGRAMS, offset))
