"""`python -m tests.faults`: the fault programme, a line a scenario; exit code 1 when one went wrong."""

import argparse
import os
import secrets
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import django

from tests.faults.running import Verdict, play
from tests.faults.servers import servers

_SHOWN = 8  # problems of a scenario


def main() -> int:
    """Run what the options say."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from tests.faults.scenarios import SCENARIOS, SHORT

    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeat a run: as printed by it")
    parser.add_argument("--only", action="append", metavar="NAME", help="this scenario; may be given again")
    parser.add_argument("--rounds", type=int, help="instead of the scenario's own number")
    parser.add_argument("--short", action="store_true", help="the short run, as in the tests")
    parser.add_argument("--servers", action="store_true", help="on geth, PostgreSQL, Redis and Kubo")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at the same time")
    options = parser.parse_args()
    known = SHORT if options.short else SCENARIOS
    wanted = options.only or list(known)
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"there is no scenario {unknown[0]}; there are {', '.join(known)}")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    _say(f"seed {seed}")
    _say(f"{'scenario':<22} {'rounds':>6} {'acts':>6} {'healed max':>10} {'took':>7}  verdict")
    with (
        tempfile.TemporaryDirectory(prefix="medrec-faults-") as folder,
        servers() if options.servers else nullcontext(),
    ):
        template = Path(folder) / "migrated.sqlite3"

        def run(name: str) -> bool:
            rounds = options.rounds or known[name].rounds
            verdict = play(name, rounds=rounds, seed=seed, template=template, among_servers=options.servers)
            _say(describe(verdict))
            return not verdict.problems

        with ThreadPoolExecutor(options.jobs) as pool:
            return 0 if all(list(pool.map(run, wanted))) else 1


def describe(verdict: Verdict) -> str:
    """A line of the table, and under it what went wrong, and what tasks raised."""
    acts = sum(verdict.acts.values())
    again = f"--only {verdict.name} --rounds {verdict.rounds} --seed {verdict.seed}"
    said = f"FAILED ({again})" if verdict.problems else "good"
    figures = f"{verdict.rounds:>6} {acts:>6} {verdict.healed:>8.1f} s {verdict.seconds:>5.0f} s"
    lines = [f"{verdict.name:<22} {figures}  {said}"]
    lines += [f"    wrong: {problem}" for problem in verdict.problems[:_SHOWN]]
    if (more := len(verdict.problems) - _SHOWN) > 0:
        lines.append(f"    and {more} more")
    if verdict.problems:
        lines += [f"    | {line}" for line in verdict.said]
    lines += [f"    raised {count} times: {what}" for what, count in verdict.raised.items()]
    return "\n".join(lines)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
