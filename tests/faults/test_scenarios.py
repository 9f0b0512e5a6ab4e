"""A short run of every scenario of the fault programme (`make faults` is the long one)."""

from pathlib import Path

import pytest

from tests.faults.running import play
from tests.faults.scenarios import SHORT

SEED = 20_261


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the migrated database for the scenarios after the first."""
    return tmp_path_factory.mktemp("faults") / "migrated.sqlite3"


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_every_act_is_once_on_the_chain_and_the_tables_equal_a_replay(name: str, template: Path) -> None:
    verdict = play(name, rounds=SHORT[name].rounds, seed=SEED, template=template)
    assert verdict.problems == [], "\n".join(verdict.said)
    assert verdict.acts["confirmed"] > 0
