"""A portal that lost a part of itself: one line at the start that says what, and the way out."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chain.localchain import Anvil
from tests.run.portal import ROOT, portal_environment, run_portal
from tests.run.test_make_run import run_refused

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a portal that ran and was stopped. Each test leaves it fit for the next."""
    folder = tmp_path_factory.mktemp("lost")
    with run_portal(folder) as portal:
        assert portal.stop() == 0
    return folder


def line_with(said: str, part: str) -> str:
    """The one line of a start that has these words."""
    (line,) = [line for line in said.splitlines() if part in line]
    return line


@pytest.mark.parametrize("kept", ["contract.json", ""])
def test_a_lost_chain_is_not_replaced_by_a_new_one(var: Path, tmp_path: Path, kept: str) -> None:
    chain = var / "chain"
    chain.rename(tmp_path / "former")
    chain.mkdir()
    if kept:
        shutil.copy(tmp_path / "former" / kept, chain)
    said = run_refused(portal_environment(var))
    shutil.rmtree(chain)
    (tmp_path / "former").rename(chain)
    assert said.count("\n") == 1
    assert said.startswith("MedRec: The node is of chain ")
    assert "but this database belongs to contract 0x" in said
    assert "Put back the chain's folder (var/chain)" in said


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (("celery", "--quiet", "-A", "medrec", "worker", "--pool", "threads"), 1),
        (("celery", "--quiet", "-A", "medrec", "beat", "--pidfile", ""), 1),
        (("gunicorn", "medrec.wsgi", "--worker-class", "gthread", "--no-control-socket"), 3),
        (("gunicorn", "medrec.wsgi", "--config", "python:medrec.server.config"), 3),
    ],
)
def test_no_program_starts_on_another_chain(var: Path, program: tuple[str, ...], code: int) -> None:
    bind = ("--bind", "127.0.0.1:0") if program[0] == "gunicorn" else ()
    with Anvil(chain_id=31_337) as other:
        ended = subprocess.run(
            [sys.executable, "-m", *program, *bind],
            cwd=ROOT,
            env=portal_environment(var) | {"CHAIN_RPC_URL": other.url},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ended.returncode == code, ended.stderr
    assert "MedRec: The node is of chain 31337, but this database belongs to" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_lost_keys_are_said_and_the_contract_stays(var: Path) -> None:
    contract = (var / "chain" / "contract.json").read_text()
    shutil.rmtree(var / "keys")
    (var / "chain" / "contract.json").unlink()
    (var / "secret_key").unlink()
    with run_portal(var) as portal:
        said = portal.said()
        assert portal.stop() == 0
    assert "In use: contract 0x" in said
    assert "Deployed:" not in said
    assert "Put back the former key (var/keys/admission.key)" in line_with(said, "The admission key here")
    assert "Put back the former key (var/keys/anchor.key)" in line_with(said, "The anchor key here")
    assert "var/secret_key" in line_with(said, "SECRET_KEY is not the one of before")
    assert (var / "chain" / "contract.json").read_text() == contract
