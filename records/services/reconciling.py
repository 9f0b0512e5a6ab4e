"""Every check of the portal, in the order in which repairs build on one another."""

from chain.reconcile import acts, archive, state
from chain.reconcile.run import Check
from records.services import (
    reconciling_access,
    reconciling_accounts,
    reconciling_files,
    reconciling_keys,
    reconciling_projection,
    reconciling_views,
)

CHECKS: tuple[Check, ...] = (
    *archive.CHECKS,
    *acts.CHECKS,
    *state.CHECKS,
    *reconciling_files.CHECKS,
    *reconciling_keys.CHECKS,
    *reconciling_access.CHECKS,
    *reconciling_projection.CHECKS,
    *reconciling_accounts.CHECKS,
    *reconciling_views.CHECKS,
)


def checks(only: list[str]) -> list[Check]:
    """The checks whose ids begin with one of these; all for none. Raises ValueError for an id of no check."""
    for start in only:
        if not any(check.id.startswith(start) for check in CHECKS):
            raise ValueError(f"There is no check {start}.")
    return [check for check in CHECKS if not only or check.id.startswith(tuple(only))]
