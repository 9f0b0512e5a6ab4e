"""Where allauth meets the vault: sign-up seals it, and it opens after the last stage of sign-in."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import get_next_redirect_url
from django.conf import settings
from django.contrib.sites.shortcuts import get_current_site
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, resolve, reverse

from accounts.errors import AccountsError, InvitationRefused
from accounts.models import Account, User
from accounts.models.notifications import TRIED_FOR
from accounts.notifications import queue_sealed
from accounts.services import signup, vaults
from accounts.services.invitations import find_invitation
from accounts.sign_in.events import SecurityEvent, log
from accounts.sign_in.known_browsers import note_sign_in
from accounts.sign_in.limits import clear_attempts, count_attempt, tell_locked, user_of
from accounts.sign_in.pending_vault import forget_unopened, keep_pending, note_unopened, take_pending
from accounts.sign_in.second_factor import has_app, may_skip
from accounts.vault_session import VaultSession

_CODES_LAST = timedelta(seconds=app_settings.EMAIL_VERIFICATION_BY_CODE_TIMEOUT)
LINKS_LAST = {
    "account/email/email_confirmation": _CODES_LAST,
    "account/email/email_confirmation_signup": _CODES_LAST,
    "account/email/password_reset_key": timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
}
"""How long the code or link in a mail works."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Signs people up with a vault and an account, and opens the vault for who has signed in."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:  # noqa: ARG002
        """Save the user, the sealed vault and the patient account together.

        Nothing is opened yet: a new e-mail must look exactly like a known one to whoever signs up.
        """
        data = form.cleaned_data
        user.email, user.name, user.date_of_birth = data["email"], data["name"], data["date_of_birth"]
        kinds = () if is_invited(request, user.email) else (Account.Kind.PATIENT,)
        signup.save_new_user(user, password=data["password1"], kinds=kinds, phrase=data["phrase"])
        return user

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Check the password (sign-in, re-authentication, closed-vault page), and open the vault with it."""
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and credentials.get("password"):
            unseal_vault(request, user, credentials["password"])
        return user

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the try: a browser that signed in before is counted apart from strangers."""
        email = str(credentials.get("email", ""))
        self._login_failed_rl_usage = count_attempt(request, email)
        if self._login_failed_rl_usage is None:
            log(SecurityEvent.SIGN_IN_LOCKED, user_of(email), request)
            tell_locked(email)
            raise self.validation_error("too_many_login_attempts")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Log a wrong password."""
        log(SecurityEvent.SIGN_IN_FAILED, user_of(str(credentials.get("email", ""))), request)

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        clear_attempts(request, str(credentials["email"]))

    def set_password(self, user: User, password: str) -> None:
        """Set a password where there was none: a vault stays closed until the phrase comes."""
        vaults.reset_password(user, password=password, phrase="")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queue a mail of allauth's, sealed: no page waits for the mail server, and none fails without it."""
        about = {"email": email, "current_site": get_current_site(self.request), "request": self.request}
        message = self.render_mail(template_prefix, email, about | context)
        lasts = LINKS_LAST.get(template_prefix, TRIED_FOR)
        queue_sealed(
            email=email, kind=template_prefix, subject=message.subject, body=message.body, lasts=lasts
        )

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """To the primary address, whichever of the person's was typed in."""
        super().send_password_reset_mail(user, user.email or email, context)

    def post_login(self, request: HttpRequest, user: User, **hints: Any) -> HttpResponse:
        """Go on; an administrator of a portal for this machine alone is asked for a second factor first."""
        response: HttpResponse = super().post_login(request, user, **hints)
        if user.is_staff and may_skip() and not has_app(user):
            query = urlencode({"next": response.headers.get("Location", "/")})
            return HttpResponseRedirect(f"{reverse('accounts:second-factor')}?{query}")
        return response

    def login(self, request: HttpRequest, user: User) -> None:
        """After the last stage: sign in, and open the vault in this browser."""
        bundle, first = take_pending(request.session, user), user.last_login is None
        super().login(request, user)
        # A session that waited for this stage was to end with it.
        request.session.set_expiry(0)
        vault: VaultSession | None = getattr(request, "vault", None)
        if bundle is not None and vault is not None:
            vault.open(user, bundle)
        elif first:
            note_unopened(request.session)
        note_sign_in(request, user, first=first)


def unseal_vault(request: HttpRequest, user: User, password: str) -> None:
    """Open the vault of who is signed in; that of who is not yet waits for the last stage of sign-in.

    It stays closed where there is none or a reset closed it.
    """
    vault: VaultSession | None = getattr(request, "vault", None)
    if vault is None:
        return
    try:
        bundle = vaults.open_with_password(user, password)
    except AccountsError:
        return
    if request.user == user:
        vault.open(user, bundle)
        forget_unopened(request.session)
        request.session.cycle_key()
    else:
        keep_pending(request.session, user, bundle)


def is_invited(request: HttpRequest, email: str) -> bool:
    """Whether this sign-up came from an institution's invitation: then no patient account is made."""
    path = urlsplit(get_next_redirect_url(request) or "").path
    try:
        match = resolve(path)
        return (
            match.view_name == "accounts:invitation"
            and find_invitation(match.kwargs["secret"]).email == email.lower()
        )
    except (Resolver404, InvitationRefused):
        return False
