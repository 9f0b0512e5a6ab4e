"""The contract's own tests, run by Foundry's forge: `python -m tests.forge`. Needs node in the PATH."""

import subprocess
import sys
from pathlib import Path

from chain.localchain.node import foundry_binary

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "chain/contracts/foundry.toml"


def main() -> int:
    """Forge's exit code."""
    command = [str(foundry_binary("forge")), "test", "--root", ".", "--config-path", CONFIG]
    return subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
