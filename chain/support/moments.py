"""Moments that some program wrote by its own clock: others judge them by theirs, which may be another.

For what has to be exact within seconds there are ticks (chain/support/shared_clock.py).
"""

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

SKEW = timedelta(seconds=60)  # between the clocks of any two programs


def is_past(field: str, span: timedelta = timedelta(), *, horizon: timedelta = timedelta()) -> Q:
    """Match rows whose moment was `span` ago or earlier, or is empty.

    `horizon` is how far ahead a moment of this field is ever set. One further ahead is of a clock that was
    wrong: it counts as long ago.
    """
    now = timezone.now()
    past = Q(**{f"{field}__lte": now - span}) | Q(**{f"{field}__gt": now + horizon + SKEW})
    return Q(**{f"{field}__isnull": True}) | past


def has_passed(moment: datetime | None, span: timedelta) -> bool:
    """Return whether a moment is more than `span` ago. None is, and so is one that lies ahead."""
    return moment is None or not timedelta() <= timezone.now() - moment <= span
