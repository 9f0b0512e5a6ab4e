"""The named points are functions of the portal: a renamed one is noticed here, not in a long run."""

import pytest

from tests.faults.points import IMPATIENT, LEASE_TERM, POINTS, constant


@pytest.mark.parametrize("name", POINTS)
def test_a_process_can_be_killed_at_the_point(name: str) -> None:
    assert callable(constant(POINTS[name].at))


@pytest.mark.parametrize("at", [*IMPATIENT, LEASE_TERM])
def test_a_constant_that_processes_change_is_there(at: str) -> None:
    assert constant(at) is not None
