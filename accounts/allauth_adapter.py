"""Where allauth meets the vault: sign-up seals it, every password that is checked opens it."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import get_next_redirect_url
from django.http import HttpRequest
from django.urls import Resolver404, resolve

from accounts.errors import AccountsError, InvitationRefused
from accounts.models import Account, User
from accounts.services import signup, vaults
from accounts.services.invitations import find_invitation
from accounts.vault_session import VaultSession


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Signs people up with a vault and an account, and opens the vault whenever a password passes."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:  # noqa: ARG002
        """Save the user, the sealed vault and the patient account together.

        Nothing is opened yet: a new e-mail must look exactly like a known one to whoever signs up.
        """
        data = form.cleaned_data
        user.email, user.name, user.date_of_birth = data["email"], data["name"], data["date_of_birth"]
        kinds = () if is_invited(request, user.email) else (Account.Kind.PATIENT,)
        signup.save_new_user(user, password=data["password1"], kinds=kinds)
        return user

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Check the password (sign-in, re-authentication, closed-vault page) and open the vault with it."""
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and credentials.get("password"):
            open_vault_here(request, user, credentials["password"])
        return user


def open_vault_here(request: HttpRequest, user: User, password: str) -> None:
    """Open the user's vault in this browser; it stays closed where there is none or a reset closed it."""
    vault: VaultSession | None = getattr(request, "vault", None)
    if vault is None:
        return
    try:
        bundle = vaults.open_with_password(user, password)
    except AccountsError:
        return
    vault.open(user, bundle)
    if request.user.is_authenticated:
        request.session.cycle_key()


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
