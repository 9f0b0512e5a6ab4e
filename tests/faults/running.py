"""Starting a scenario in a process of its own, and reading its verdict."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LAST_LINES = 30


@dataclass
class Verdict:
    """How a scenario went.

    `healed`: the longest time in seconds; `acts`: how many in each state; `raised`: how often tasks raised
    what, which is no failure in itself (a task runs again); `said`: its last lines on standard error.
    """

    name: str
    rounds: int
    seed: int
    healed: float = 0.0
    seconds: float = 0.0
    acts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    raised: dict[str, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def play(name: str, *, rounds: int, seed: int, template: Path, among_servers: bool = False) -> Verdict:
    """Run a scenario of tests.faults.scenarios. `template`: a migrated SQLite file, made if it is missing.

    `among_servers`: on geth, where any node will do; the environment names the other servers.
    """
    command = [sys.executable, "-m", "tests.faults.scene", name, "--rounds", str(rounds), "--seed", str(seed)]
    if among_servers:
        command.append("--among-servers")
    done = subprocess.run(
        [*command, "--template", str(template)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = done.stderr.splitlines()[-_LAST_LINES:]
    try:
        verdict = Verdict(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        return Verdict(name, rounds, seed, problems=[f"exit code {done.returncode}", *said])
    verdict.said = said
    return verdict
