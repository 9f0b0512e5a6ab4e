"""The accounts app: who is who."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, their vaults and accounts, institutions, tokens."""

    name = "accounts"
    verbose_name = "People and institutions"

    def ready(self) -> None:
        """Register signal receivers and the handlers of chain events."""
        from accounts import checks, handlers, projection, signals  # noqa: F401  (importing registers them)
        from accounts.services import affiliations, invitations, keys, limits, secret_key  # noqa: F401
        from accounts.sign_in import receivers  # noqa: F401
