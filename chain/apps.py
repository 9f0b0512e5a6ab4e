"""The chain app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ChainConfig(AppConfig):
    """Acts to the chain, events from it."""

    name = "chain"
    verbose_name = "Chain"

    def ready(self) -> None:
        """Register the system checks, our own and every app's handlers of events (its module `handlers`)."""
        from chain import checks, signers  # noqa: F401  (importing registers them)

        autodiscover_modules("handlers")
