"""allauth's forms of signing in, with what the portal adds."""

from typing import Any, cast

from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponse

from accounts.sign_in.pending_vault import limit_pending
from accounts.sign_in.second_factor import use_code


class LoginForm(AllauthLoginForm):  # type: ignore[misc]
    """The first stage: e-mail and password."""

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """Go to the next stage, or sign in."""
        response = cast(HttpResponse, super().login(request, redirect_url))
        limit_pending(request.session)
        return response


class CountsOnce:
    """A code of an authenticator app counts once, whichever of the three steps it belongs to."""

    def clean_code(self: Any) -> str:
        """Refuse a code that was used before, as a wrong one."""
        code = str(super().clean_code())  # type: ignore[misc]
        app = self.authenticator
        if app.type == Authenticator.Type.TOTP and not use_code(app, code):
            self._emit_authentication_failed(app)
            raise get_adapter().validation_error("incorrect_code")
        return code


class AuthenticateForm(CountsOnce, mfa_forms.AuthenticateForm):  # type: ignore[misc]
    """The stage after the password."""


class ReauthenticateForm(CountsOnce, mfa_forms.ReauthenticateForm):  # type: ignore[misc]
    """The same in a session that has signed in."""
