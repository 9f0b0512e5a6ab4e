"""The contract's own tests, run by Foundry's forge: `python -m tests.forge`. Needs node in the PATH."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from chain.localchain.node import foundry_binary

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "chain/contracts/foundry.toml"
CONTRACTS = ROOT / "chain" / "contracts"


def forge_command(name: str) -> list[str]:
    """Return the command line of a forge command, to run in ROOT with FOUNDRY_CONFIG set.

    With --config-path instead, forge finds no contracts and is content.
    """
    return [str(foundry_binary("forge")), name]


def is_built() -> bool:
    """Return whether artifact.json, which the tests run, is made from the sources as they are."""
    made_from = json.loads((CONTRACTS / "artifact.json").read_text())["sources"]
    sources = {
        f"src/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (CONTRACTS / "src").glob("*.sol")
    }
    return bool(made_from == sources)


def main() -> int:
    """Forge's exit code. 1 when the artifact is not of these sources."""
    if not is_built():
        print("artifact.json is not what its sources give: run chain/contracts/build.py", file=sys.stderr)
        return 1
    environment = os.environ | {"FOUNDRY_CONFIG": CONFIG}
    command = [*forge_command("test"), *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
