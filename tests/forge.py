"""The contract's own tests, run by Foundry's forge: `python -m tests.forge`. Needs node in the PATH."""

import os
import subprocess
import sys
from pathlib import Path

from chain.localchain.node import foundry_binary

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "chain/contracts/foundry.toml"


def main() -> int:
    """Forge's exit code."""
    # With --config-path instead, forge finds no contracts and is content.
    environment = os.environ | {"FOUNDRY_CONFIG": CONFIG}
    command = [str(foundry_binary("forge")), "test", *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
