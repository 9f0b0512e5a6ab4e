"""What follows from Django's own signals: signing out closes the vault in this browser."""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest


@receiver(user_logged_out)
def close_vault(request: HttpRequest | None = None, **kwargs: Any) -> None:  # noqa: ARG001
    """Forget the opened keys and take the cookie back; the browser is told to forget what it has kept."""
    if request is not None:
        request.signed_out = True  # type: ignore[attr-defined]
    vault = getattr(request, "vault", None)
    if vault is not None:
        vault.close()
