"""How many calls a token's account may make in a minute."""

from typing import Any

from django.core.cache import cache
from rest_framework.throttling import UserRateThrottle

from chain.support.moments import SKEW


class _PastCalls:
    """The cache's lists of moments, less those ahead: a clock that has stepped back since wrote them.

    The throttle lets go of none before the oldest is over: it would count these, and later ones, for hours.
    """

    def get(self, key: str, default: list[float]) -> list[float]:
        """Return the moments of a key."""
        latest = AccountThrottle.timer() + SKEW.total_seconds()
        return [at for at in cache.get(key, default) if at <= latest]

    def set(self, key: str, moments: list[float], seconds: float) -> None:
        """Keep the moments of a key."""
        cache.set(key, moments, seconds)


class AccountThrottle(UserRateThrottle):
    """Counts by account, whatever steps the clock has made."""

    cache: Any = _PastCalls()
