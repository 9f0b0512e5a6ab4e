"""Builds programs in Go that tests need and no registry has: a module of our own names the version.

Needs Go and a Go module proxy, once. Takes some minutes. The versions of everything are those in go.sum.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.requirements import require_tool


@dataclass(frozen=True)
class GoProgram:
    """A program, and the folder with the module (go.mod, go.sum, tools.go) that pins it."""

    name: str
    version: str
    module: Path
    package: str  # its command
    variable: str  # the environment's name for a binary that is there already

    def path(self) -> Path:
        """Return the path of the binary: what the environment names, else one in the user's cache."""
        if named := os.environ.get(self.variable):
            return Path(named)
        folder = f"{self.module.name}-{self.version}"
        return Path.home() / ".cache" / "medrec" / folder / self.package.rpartition("/")[2]

    def build(self) -> Path:
        """Build the binary unless it is there. Raises FileNotFoundError without Go, CalledProcessError."""
        target = self.path()
        if target.is_file():
            return target
        go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
        if go is None:
            raise FileNotFoundError("Go is not installed (https://go.dev/dl)")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:  # Go writes into the module it builds
            for name in ("go.mod", "go.sum", "tools.go"):
                shutil.copy(self.module / name, folder)
            built = Path(folder) / target.name
            command = [go, "build", "-mod=mod", "-trimpath", "-o", str(built), self.package]
            subprocess.run(command, cwd=folder, check=True)
            built.replace(target)
        return target

    def require(self) -> Path:
        """The binary. Without it the test is skipped (see `require_tool`)."""
        path = self.path()
        how = f"build it with python -m tests.{self.module.name}.build (needs Go), or set {self.variable}"
        return require_tool(self.name, path if path.is_file() else None, how)
