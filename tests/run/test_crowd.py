"""The running portal under clients that say little: another person's revoke and the probe are answered."""

import re
from pathlib import Path

import pytest

from tests.records.watching import family, files_with
from tests.run.crowd import PIECE, crowd, patients, seconds_of, seconds_of_probe
from tests.run.portal import children_of, run_portal

pytestmark = pytest.mark.slow

MARK = b"MARKED potassium 4.2 mmol/l "
FILE_PIECE = (MARK * (PIECE // len(MARK) + 1))[:PIECE]
FILE_MIB = 200
GROWTH_MIB = 48  # of a web process, while 200 MiB come
ANSWERED_SECONDS = 10.0  # on a busy machine; `make bench` measures it with nothing beside (2 seconds)


def test_slow_clients_stop_nobody_and_leave_no_plaintext_in_a_file(tmp_path: Path) -> None:
    spool = tmp_path / "tmp"
    spool.mkdir()
    var = tmp_path / "portal"
    with run_portal(var, settings={"TMPDIR": str(spool)}) as portal:
        port = int(portal.environment["PORT"])
        crowded, other = patients(portal)
        workers = web_workers(portal.children())
        before = {pid: peak_mib(pid) for pid in workers}
        record = crowded.send(FILE_PIECE, FILE_MIB)
        assert max(peak_mib(pid) - before[pid] for pid in workers) < GROWTH_MIB
        end = other.grant(crowded)
        with crowd(port, crowded, record) as readers:
            for reader in readers:
                assert reader.recv(12) == b"HTTP/1.1 200"
            took = [seconds_of_probe(port) for _ in range(5)]
            took.append(seconds_of(other, "POST", "grants/revoke", end))
            took.append(seconds_of_probe(port))
            assert max(took) < ANSWERED_SECONDS
            assert files_with(MARK, pids=family(portal.process.pid), folders=[var, spool]) == []
        portal.stop()
        assert "Traceback" not in portal.said()


def web_workers(programs: list[int]) -> list[int]:
    """The processes that gunicorn's master has started."""
    masters = [pid for pid in programs if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return [worker for master in masters for worker in children_of(master)]


def peak_mib(pid: int) -> float:
    """The most memory that a process has had so far (proc(5): VmHWM)."""
    (kib,) = re.findall(r"^VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kib) / 1024
