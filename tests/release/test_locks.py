"""The locked requirements are those of their input files, each with hashes (`make lock`)."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.run.portal import ROOT

LOCKED = ("requirements-setup", "requirements-node", "requirements", "requirements-dev")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.mark.parametrize("name", LOCKED)
def test_each_package_that_is_asked_for_is_pinned_as_asked(name: str) -> None:
    pins = _read_pins(ROOT / f"{name}.txt")
    for requirement in _read_requirements(ROOT / f"{name}.in"):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {name}.txt: make lock"
        assert version in requirement.specifier, f"{requirement} is locked as {version}: make lock"


@pytest.mark.parametrize("name", LOCKED)
def test_each_pin_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text()
    assert "://" not in text
    entries = _entries(text)
    assert entries
    assert not [entry for entry in entries if "==" not in entry or not HASH.search(entry)]


def test_tests_run_on_the_packages_that_are_installed_elsewhere() -> None:
    installed, tested = (_read_pins(ROOT / f"{name}.txt") for name in LOCKED[2:])
    assert {name: tested.get(name) for name in installed} == installed


def _entries(text: str) -> list[str]:
    """Return the requirements of a lock file, each with its hashes on one line."""
    lines = text.replace("\\\n", "").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _read_pins(path: Path) -> dict[str, str]:
    """Return each package's locked version."""
    requirements = [Requirement(entry.partition("--hash")[0]) for entry in _entries(path.read_text())]
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in requirements}


def _read_requirements(path: Path) -> list[Requirement]:
    """Return what an input file asks for, without what it includes."""
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]
