"""Builds the Kubo (IPFS node) that the storage tests run against: `python -m tests.kubo.build`.

Needs Go and a Go module proxy, once; takes some minutes. The versions of everything are those in go.sum.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "0.42.0"
_MODULE = Path(__file__).parent
_COMMAND = "github.com/ipfs/kubo/cmd/ipfs"


def kubo_path() -> Path:
    """Where the binary is, or will be: the environment's KUBO_BINARY, else the user's cache."""
    named = os.environ.get("KUBO_BINARY")
    return Path(named) if named else Path.home() / ".cache" / "medrec" / f"kubo-{VERSION}" / "ipfs"


def find_kubo() -> Path | None:
    """The binary, if it was built."""
    path = kubo_path()
    return path if path.is_file() else None


def build_kubo(target: Path) -> Path:
    """Build the binary unless it is there. Raises FileNotFoundError without Go, CalledProcessError."""
    if target.is_file():
        return target
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise FileNotFoundError("Go is not installed (https://go.dev/dl)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:  # Go writes into the module it builds
        for name in ("go.mod", "go.sum", "tools.go"):
            shutil.copy(_MODULE / name, folder)
        built = Path(folder) / "ipfs"
        command = [go, "build", "-mod=mod", "-trimpath", "-o", str(built), _COMMAND]
        subprocess.run(command, cwd=folder, check=True)
        built.replace(target)
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{build_kubo(kubo_path())}\n")
