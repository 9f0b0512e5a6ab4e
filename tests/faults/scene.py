"""`python -m tests.faults.scene NAME`: one scenario, in a process and a folder of its own.

A line of JSON on standard output says how it went.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import django

from chain.localchain.tether import end_with_parent
from tests.faults.running import Verdict

if TYPE_CHECKING:  # Django is not set up yet
    from tests.faults.scenarios import Scenario, Staged


def main() -> int:
    """Exit code 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.scene", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--among-servers", action="store_true", help="on geth, where any node will do")
    parser.add_argument("--template", type=Path, help="a migrated SQLite file, made there if it is missing")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its folder and its processes go all the same
    end_with_parent(signal.SIGTERM)
    verdict = Verdict(options.name, options.rounds, options.seed)
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="medrec-faults-"))
    try:
        _set_environment(folder)
        django.setup()
        _play(verdict, folder, options.template, among_servers=options.among_servers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    verdict.seconds = time.monotonic() - begun
    sys.stdout.write(json.dumps(asdict(verdict)) + "\n")
    return 1 if verdict.problems else 0


def _set_environment(folder: Path) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "medrec.settings",
        "VAR": str(folder),
        "CELERY_BROKER_URL": "memory://",
        "EMAIL_URL": f"filemail:///{folder}/mail",
        "CHAIN_BATCH_WAIT": "0.05",
        "CHAIN_CONFIRMATIONS": "2",
        "CHAIN_STUCK_BLOCKS": "3",
        "LIMIT_REQUESTS_PER_SENDER": "0",  # one doctor writes for the whole crowd
        "LIMIT_INBOX_PER_SENDER": "0",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "CRITICAL"),
    }


def _play(verdict: Verdict, folder: Path, template: Path | None, *, among_servers: bool) -> None:
    from tests.faults.scenarios import SCENARIOS, SHORT, Scenario

    scenario = (SCENARIOS | SHORT)[verdict.name]
    if isinstance(scenario, Scenario):
        _play_in_world(scenario, verdict, folder, template, among_servers=among_servers)
    else:
        _play_on_stage(scenario, verdict, folder)


def _play_on_stage(scenario: "Staged", verdict: Verdict, folder: Path) -> None:
    """Let the scenario start, harm and judge its portals itself."""
    from tests.faults.stage import Stage

    stage = Stage(folder, verdict.seed)
    try:
        scenario.run(stage, verdict.rounds)
    except AssertionError as problem:
        stage.problems.append(str(problem))
    verdict.problems, verdict.acts = stage.problems, stage.acts
    verdict.healed = max(stage.healed, default=0.0)


def _play_in_world(
    scenario: "Scenario", verdict: Verdict, folder: Path, template: Path | None, *, among_servers: bool
) -> None:
    """Make the world, do the faults, judge."""
    from django.conf import settings

    from tests.faults.databases import drop_databases, make_databases
    from tests.faults.judge import count_acts
    from tests.faults.nodes import make_node
    from tests.faults.world import World

    used, empty = make_databases(folder, template=template)
    node = make_node(scenario.node, folder, verdict.seed, among_servers=among_servers)
    settings.CHAIN_RPC_URL = node.url
    world = World(folder, verdict.seed, node, used)
    try:
        world.open()
        scenario.run(world, verdict.rounds)
        world.heal()
        verdict.problems = world.judge(empty)
    except AssertionError as problem:
        verdict.problems = [str(problem)]
    finally:
        verdict.acts, verdict.raised = world.ask(count_acts), world.raised_by_kind()
        verdict.healed = max(world.healed, default=0.0)
        world.close()
        node.close()
        drop_databases(used, empty)


if __name__ == "__main__":
    sys.exit(main())
