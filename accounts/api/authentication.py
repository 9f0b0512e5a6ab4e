"""Token authentication: `Authorization: Bearer medrec_...` gives request.user and request.actor."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts.actor import Actor
from accounts.models import User
from accounts.services import tokens
from accounts.services.key_tasks import run_in_turn
from accounts.sign_in.events import SecurityEvent, log

KEYWORD = "Bearer"


class TokenAuthentication(BaseAuthentication):
    """An API token's user and actor. Sessions do not authenticate here, so no CSRF is needed."""

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        """The user and (as request.auth and request.actor) who acts; None without the header."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != KEYWORD.lower().encode():
            return None
        if len(parts) != 2:
            raise AuthenticationFailed("The header is: Authorization: Bearer <token>")
        actor = tokens.actor_of(parts[1].decode("latin-1"))
        if actor is None:
            log(SecurityEvent.TOKEN_REFUSED, None, request._request)
            raise AuthenticationFailed("The token is unknown, revoked or past its end.")
        request._request.actor = actor  # type: ignore[attr-defined]
        request.actor = actor  # type: ignore[attr-defined]
        if request.method in SAFE_METHODS:
            actor.keep_answers()
        else:
            run_in_turn(actor.user, [actor])
        return actor.user, actor

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """Makes a missing or bad token a 401 and not a 403."""
        return KEYWORD
