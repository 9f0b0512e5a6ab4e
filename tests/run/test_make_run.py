"""`make run`: one clear line when it cannot start, nothing left when it ends, all there the next time."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from chain.localchain.rpc import Rpc
from medrec import __version__
from medrec.run import AS_ROOT, CannotStart, _check_user
from tests.run.portal import ROOT, children_of, portal_environment, run_portal

pytestmark = pytest.mark.slow


def wait_for(true: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run_refused(environment: dict[str, str]) -> str:
    """Return its output when it does not start."""
    command = [sys.executable, "-m", "medrec.run"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    return ended.stderr


def test_it_serves_survives_a_kill_and_stops_without_a_trace(tmp_path: Path) -> None:
    with run_portal(tmp_path) as first:
        with urllib.request.urlopen(first.url) as page:
            assert page.status == 200
            assert "MedRec" in page.read().decode()
        chain = Rpc(int(first.rpc_url.rsplit(":", 1)[1]))
        deployed = json.loads((tmp_path / "chain" / "contract.json").read_text())
        assert len(chain.call("eth_getCode", deployed["address"], "latest")) > 1000
        programs = first.children()
        programs += [worker for program in programs for worker in children_of(program)]
        assert len(programs) >= 7  # web with two workers, worker, beat, chain with its node
        assert first.said().count(AS_ROOT) == (os.geteuid() == 0)
        assert "Warning:" not in first.said()
        first.kill()

    same_ports = {name: first.environment[name] for name in ("PORT", "LOCALCHAIN_PORT")}
    with run_portal(tmp_path, settings=same_ports) as second:  # at once: whatever holds them still ends
        assert not any(alive(pid) for pid in programs)
        assert json.loads((tmp_path / "chain" / "contract.json").read_text()) == deployed
        chain = Rpc(int(second.rpc_url.rsplit(":", 1)[1]))
        assert len(chain.call("eth_getCode", deployed["address"], "latest")) > 1000
        programs = second.children()
        assert f"| MedRec {__version__}\n" in second.said()
        assert second.stop() == 0
        assert not any(alive(pid) for pid in programs)
        assert "Traceback" not in second.said()


def test_a_folder_of_another_user_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").mkdir()
    _check_user(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, _: path == tmp_path)
    with pytest.raises(CannotStart, match=r"^\S+/keys belongs to another user\. Give it .*VAR="):
        _check_user(tmp_path)


def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    with run_portal(tmp_path) as portal:
        (beat,) = [
            pid for pid in portal.children() if b"\0beat\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(beat, 9)
        wait_for(lambda: "beat ended (exit code -9); starting it again" in portal.said())
        assert portal.process.poll() is None


@pytest.mark.parametrize("name", ["PORT", "LOCALCHAIN_PORT"])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, name: str) -> None:
    environment = portal_environment(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment[name])))
        taken.listen()
        said = run_refused(environment)
    assert said.count("\n") == 1
    assert said.startswith(f"MedRec: port {environment[name]} cannot be used")
    assert f"by process {os.getpid()}: " in said
    assert f"try {name}=" in said


def test_a_port_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    said = run_refused(portal_environment(tmp_path) | {"PORT": "99999"})
    assert said == "MedRec: PORT=99999 is not a port number\n"


def test_too_old_a_python_is_one_clear_line(tmp_path: Path) -> None:
    make = shutil.which("make")
    assert make, "make is what the README names"
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")  # what Python 3.10 answers to the Makefile's question
    old.chmod(old.stat().st_mode | stat.S_IEXEC)
    for name in (
        "Makefile",
        "requirements-setup.txt",
        "requirements.txt",
        "package.json",
        "package-lock.json",
    ):
        shutil.copy(ROOT / name, tmp_path)
    ended = subprocess.run(
        [make, "run", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode != 0
    assert ended.stderr.splitlines()[0].startswith("MedRec needs Python 3.11 or newer")
    assert not (tmp_path / ".venv").exists()
