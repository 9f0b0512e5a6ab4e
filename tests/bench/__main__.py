"""`make bench`: measures, writes build/bench.json, prints a table; fails where a limit is not kept.

A module has `measure()`. LIMITS, by figure the most it may be. Where there is a least, FLOORS.
Names after the command measure those modules alone, and write nothing.
"""

import importlib
import json
import math
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "gas",
    "run",
    "memory",
    "download",
    "ipfs",
    "listing",
    "acts",
    "sync",
    "localchain",
    "silent",
    "load",
    "healing",
)


def main() -> int:
    """Exit code 1 if a figure is over its limit or under its floor."""
    figures = {"machine_loop_ms": _loop_ms()}
    limits: dict[str, float] = {}
    floors: dict[str, float] = {}
    chosen = sys.argv[1:]
    for name in chosen or MODULES:
        sys.stdout.write(f"measuring: {name}\n")
        sys.stdout.flush()
        module = importlib.import_module(f"tests.bench.{name}")
        try:
            figures |= module.measure()
        except FileNotFoundError as missing:  # a tool that no package brings
            sys.stdout.write(f"not measured: {missing}\n")
        limits |= module.LIMITS
        floors |= getattr(module, "FLOORS", {})
    if not chosen:
        (ROOT / "build").mkdir(exist_ok=True)
        (ROOT / "build" / "bench.json").write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    missed = [name for name, limit in limits.items() if not figures.get(name, math.inf) <= limit]
    missed += [name for name, floor in floors.items() if not figures.get(name, -math.inf) >= floor]
    width = max(map(len, figures), default=0)
    for name, figure in figures.items():
        bounds = [("<=", limits.get(name)), (">=", floors.get(name))]
        said = " ".join(f"{sign} {bound:>10,.2f}" for sign, bound in bounds if bound is not None)
        sys.stdout.write(f"{name:<{width}} {figure:>14,.2f} {said}{'  missed' if name in missed else ''}\n")
    return 1 if missed else 0


def _loop_ms() -> float:
    """Milliseconds for a million additions in Python: how fast the machine is now, to read the figures by."""
    began, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
