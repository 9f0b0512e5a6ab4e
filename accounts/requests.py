"""The request as the portal's middleware leaves it."""

from dataclasses import dataclass

from django.http import HttpRequest

from accounts.actor import Actor
from accounts.models import Account, User
from accounts.vault_session import VaultSession

ACTING_AS = "acting_as"  # the session's key: address of the account that was chosen


@dataclass(frozen=True)
class SignedIn:
    """A signed-in user's accounts in their order, and what every page asks of the user.

    `manages` some institution; `hides_phrase` until the recovery phrase is shown, `doubts_phrase` until it is
    checked.
    """

    accounts: list[Account]
    manages: bool
    hides_phrase: bool
    doubts_phrase: bool


class PortalRequest(HttpRequest):
    """For annotations: what ActorMiddleware and VaultCookieMiddleware have added."""

    user: User
    actor: Actor | None
    signed_in: SignedIn
    vault: VaultSession
