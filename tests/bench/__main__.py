"""`make bench`: measures, writes build/bench.json, prints a table; fails where a limit is not kept."""

import importlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("gas", "run", "memory")


def main() -> int:
    """Exit code 1 if a figure is over its limit."""
    figures: dict[str, float] = {}
    limits: dict[str, float] = {}
    for name in MODULES:
        sys.stdout.write(f"measuring: {name}\n")
        sys.stdout.flush()
        module = importlib.import_module(f"tests.bench.{name}")
        figures |= module.measure()
        limits |= module.LIMITS
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.json").write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    missed = [name for name, limit in limits.items() if figures[name] > limit]
    width = max(map(len, figures))
    for name, figure in figures.items():
        limit = f"<= {limits[name]:>10,.2f}" if name in limits else ""
        mark = "  over its limit" if name in missed else ""
        sys.stdout.write(f"{name:<{width}} {figure:>14,.2f} {limit}{mark}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
