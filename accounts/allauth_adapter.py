"""Where allauth meets the vault: sign-up seals it, and it opens after the last stage of sign-in."""

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
from accounts.sign_in.pending_vault import keep_pending, take_pending
from accounts.vault_session import VaultSession


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Signs people up with a vault and an account, and opens the vault for who has signed in."""

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
        """Check the password (sign-in, re-authentication, closed-vault page), and open the vault with it."""
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and credentials.get("password"):
            unseal_vault(request, user, credentials["password"])
        return user

    def login(self, request: HttpRequest, user: User) -> None:
        """After the last stage: sign in, and open the vault in this browser."""
        bundle = take_pending(request.session, user)
        super().login(request, user)
        # A session that waited for this stage was to end with it.
        request.session.set_expiry(0)
        vault: VaultSession | None = getattr(request, "vault", None)
        if bundle is not None and vault is not None:
            vault.open(user, bundle)


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
