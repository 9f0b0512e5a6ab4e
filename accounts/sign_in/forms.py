"""allauth's forms of signing in, with what the portal adds."""

from typing import cast

from allauth.account.forms import LoginForm as AllauthLoginForm
from django.http import HttpRequest, HttpResponse

from accounts.sign_in.pending_vault import limit_pending


class LoginForm(AllauthLoginForm):  # type: ignore[misc]
    """The first stage: e-mail and password."""

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """Go to the next stage, or sign in."""
        response = cast(HttpResponse, super().login(request, redirect_url))
        limit_pending(request.session)
        return response
