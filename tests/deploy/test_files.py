"""The files in deploy/ agree, and are well-formed. `make check` lints Dockerfile and compose.yaml, too."""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.checks import run_checks

from tests.deploy.machines import UNITS, unit_command
from tests.requirements import require_tool
from tests.run.portal import ROOT

SERVICES = ("web", "worker", "beat")


def test_containers_run_the_commands_of_the_units() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    for name in SERVICES:
        unit = [part.replace("/opt/medrec/", "") for part in unit_command(name)]
        assert shlex.split(compose["services"][name]["command"]) == unit
        assert compose["services"][name]["read_only"] is True


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    systemd = shutil.which("systemd-analyze")
    tool = require_tool("systemd-analyze", Path(systemd) if systemd else None, "apt-get install systemd")
    for file in UNITS.iterdir():  # the programs that they name are where a machine has them
        text = file.read_text().replace("/opt/medrec/.venv/bin/", f"{ROOT}/.venv/bin/")
        (tmp_path / file.name).write_text(
            text.replace("WorkingDirectory=/opt/medrec", "WorkingDirectory=/tmp")
        )
    command = [str(tool), "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"METRICS_TOKEN": "short"}, "medrec.E001"),
        ({"ALLOWED_HOSTS": ["elsewhere.example"]}, "medrec.E002"),
        ({"CSRF_TRUSTED_ORIGINS": ["https://medrec.example"]}, "medrec.E003"),
        ({"BEHIND_PROXY": False}, "medrec.E004"),
        ({}, "medrec.W001"),  # nothing answers there
    ],
)
def test_wrong_settings_are_named(settings: Any, wrong: dict[str, object], problem: str) -> None:
    right = {
        "PUBLIC_URL": "https://localhost:1",
        "ALLOWED_HOSTS": ["localhost"],
        "CSRF_TRUSTED_ORIGINS": ["https://localhost:1"],
        "SECURE_SSL_REDIRECT": True,
        "BEHIND_PROXY": True,
    }
    for name, value in (right | wrong).items():
        setattr(settings, name, value)
    found = {message.id for message in run_checks(tags=["medrec"], include_deployment_checks=True)}
    assert found == {problem, "medrec.W001"}
