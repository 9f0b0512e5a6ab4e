"""Measures `/healthz` and a revoke while 500 connections say nothing and others are slow."""

import tempfile
from pathlib import Path

from tests.run.crowd import PIECE, crowd, patients, seconds_of, seconds_of_probe
from tests.run.portal import run_portal

LIMITS = {"healthz_under_500_silent_ms": 2000.0, "revoke_under_500_silent_ms": 2000.0}
FILE_MIB = 100
PROBES = 20


def measure() -> dict[str, float]:
    """Milliseconds: the slowest of 20 probes, and one revoke among them."""
    with tempfile.TemporaryDirectory() as folder, run_portal(Path(folder)) as portal:
        port = int(portal.environment["PORT"])
        crowded, other = patients(portal)
        record = crowded.send(bytes(PIECE), FILE_MIB)
        end = other.grant(crowded)
        with crowd(port, crowded, record):
            probes = [seconds_of_probe(port) for _ in range(PROBES)]
            revoke = seconds_of(other, "POST", "grants/revoke", end)
            probes += [seconds_of_probe(port) for _ in range(PROBES)]
        portal.stop()
    return {
        "healthz_under_500_silent_ms": max(probes) * 1000,
        "revoke_under_500_silent_ms": revoke * 1000,
    }
