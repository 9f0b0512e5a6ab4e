"""The chain app."""

import sys

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from chain.signer import RECURSION_LIMIT


class ChainConfig(AppConfig):
    """Acts to the chain, events from it."""

    name = "chain"
    verbose_name = "Chain"

    def ready(self) -> None:
        """Register checks, of settings and of health, and every app's handlers of events."""
        from chain import checks, health_checks, signers, starting  # noqa: F401  (importing registers them)

        autodiscover_modules("handlers")
        sys.setrecursionlimit(RECURSION_LIMIT)  # another library may have lifted it, as in chain/signer.py
