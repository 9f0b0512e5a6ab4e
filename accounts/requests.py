"""The request as the portal's middleware leaves it."""

from django.http import HttpRequest

from accounts.actor import Actor
from accounts.models import User
from accounts.vault_session import VaultSession


class PortalRequest(HttpRequest):
    """For annotations: what ActorMiddleware and VaultCookieMiddleware have added."""

    user: User
    actor: Actor | None
    vault: VaultSession
