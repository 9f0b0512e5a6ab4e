"""System checks: what an operator has set wrongly around people and keys."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

FIRST_MIDDLEWARE = "accounts.middleware.VaultCookieMiddleware"


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """VAULT_* are times that make sense, PUBLIC_URL is one, and the vault cookie is taken out first."""
    found: list[CheckMessage] = []
    if not 0 < settings.VAULT_IDLE_SECONDS <= settings.VAULT_MAX_SECONDS:
        found.append(
            Error("VAULT_IDLE_SECONDS is above 0 and at most VAULT_MAX_SECONDS.", id="accounts.E001")
        )
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        found.append(
            Error(
                f"PUBLIC_URL is {settings.PUBLIC_URL!r}; it needs scheme and host and nothing after them.",
                hint="For example https://medrec.example.org",
                id="accounts.E002",
            )
        )
    if settings.MIDDLEWARE[0] != FIRST_MIDDLEWARE:
        found.append(
            Error(
                f"{FIRST_MIDDLEWARE} is not the first middleware: another would see the vault's key.",
                id="accounts.E003",
            )
        )
    for name, most in settings.LIMITS.items():
        if most < 0:
            found.append(Error(f"LIMIT_{name} is {most}. A limit is 0 (none) or more.", id="accounts.E004"))
    return found
