"""The chain app."""

import sys

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.module_loading import autodiscover_modules

from chain.keys.ecdsa import RECURSION_LIMIT


class ChainConfig(AppConfig):
    """Acts to the chain, events from it."""

    default = True
    name = "chain"
    verbose_name = "Chain"

    def ready(self) -> None:
        """Register checks, of settings and of health, and every app's handlers of events."""
        # Importing these registers them. They need the models, which are loaded later than this module.
        from chain.operations import setting_checks, start_up  # noqa: F401
        from chain.outbox import signature_check  # noqa: F401
        from chain.status import health_checks  # noqa: F401

        autodiscover_modules("handlers")
        sys.setrecursionlimit(RECURSION_LIMIT)  # another library may have lifted it (chain/keys/ecdsa.py)


class PortalAdminConfig(admin_apps.AdminConfig):
    """Stands in the place of django.contrib.admin, with a site that has the operations page."""

    default = False
    default_site = "chain.operations.site.PortalAdminSite"
