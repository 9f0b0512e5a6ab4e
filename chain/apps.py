"""The chain app."""

import sys

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

RECURSION_LIMIT = 1000  # calls; Python's own default


class ChainConfig(AppConfig):
    """Acts to the chain, events from it."""

    name = "chain"
    verbose_name = "Chain"

    def ready(self) -> None:
        """Register checks, of settings and of health, and every app's handlers of events."""
        from chain import checks, health_checks, signers  # noqa: F401  (importing registers them)

        autodiscover_modules("handlers")
        # py_ecc, which eth_account brings, lifts Python's limit to 100,000 calls. Deeply nested JSON is then
        # no RecursionError: it overruns the thread's stack, and the process dies with all that it was doing.
        sys.setrecursionlimit(RECURSION_LIMIT)
