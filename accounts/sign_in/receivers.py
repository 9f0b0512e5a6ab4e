"""What allauth and Django tell about a sign-in becomes a security event."""

from typing import Any

from allauth.account import signals as account_signals
from allauth.account.models import EmailAddress
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from accounts.sign_in.events import SecurityEvent, record
from accounts.sign_in.known_browsers import known_browser
from accounts.sign_in.second_factor import use_activation_code


@receiver(user_logged_out)
def note_sign_out(request: HttpRequest | None = None, user: User | None = None, **kwargs: Any) -> None:  # noqa: ARG001
    """Log a sign-out."""
    if user is not None:
        record(SecurityEvent.SIGNED_OUT, user, request)


@receiver((account_signals.password_changed, account_signals.password_set))
def note_new_password(request: HttpRequest, user: User, **kwargs: Any) -> None:  # noqa: ARG001
    """This browser stays a known one under the new password; all others are strangers."""
    record(SecurityEvent.PASSWORD_CHANGED, user, request)
    known_browser(request).remember(user)


@receiver(account_signals.password_reset)
def note_reset(request: HttpRequest, user: User, **kwargs: Any) -> None:  # noqa: ARG001
    """A forgotten password was set anew."""
    record(SecurityEvent.PASSWORD_RESET, user, request)


@receiver(account_signals.email_confirmed)
def note_new_email(request: HttpRequest, email_address: EmailAddress, **kwargs: Any) -> None:  # noqa: ARG001
    """A further address was verified; not the one that somebody signs up with."""
    user = email_address.user
    if email_address.email != user.email:
        record(SecurityEvent.EMAIL_ADDED, user, request)


@receiver(account_signals.email_removed)
def note_removed_email(
    request: HttpRequest,
    user: User,
    email_address: EmailAddress,
    **kwargs: Any,  # noqa: ARG001
) -> None:
    """Both the address that is left and the one that was removed are told."""
    record(SecurityEvent.EMAIL_REMOVED, user, request)
    if email_address.verified:
        record(SecurityEvent.EMAIL_REMOVED, user, request, to=email_address.email)


@receiver(account_signals.email_changed)
def note_primary_email(
    request: HttpRequest,
    user: User,
    from_email_address: EmailAddress | None,
    **kwargs: Any,  # noqa: ARG001
) -> None:
    """The former primary address is told, and the new one."""
    record(SecurityEvent.PRIMARY_EMAIL_CHANGED, user, request)
    if from_email_address is not None and from_email_address.verified:
        record(SecurityEvent.PRIMARY_EMAIL_CHANGED, user, request, to=from_email_address.email)


@receiver(mfa_signals.authenticator_added)
def note_added_factor(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:  # noqa: ARG001
    """An authenticator app; the recovery codes that are made with it are no event of their own."""
    if authenticator.type == Authenticator.Type.TOTP:
        use_activation_code(request, authenticator)
        record(SecurityEvent.FACTOR_ADDED, user, request)


@receiver(mfa_signals.authenticator_removed)
def note_removed_factor(
    request: HttpRequest,
    user: User,
    authenticator: Authenticator,
    **kwargs: Any,  # noqa: ARG001
) -> None:
    """The recovery codes go with the app."""
    if authenticator.type == Authenticator.Type.TOTP:
        record(SecurityEvent.FACTOR_REMOVED, user, request)


@receiver(mfa_signals.authenticator_reset)
def note_new_codes(request: HttpRequest, user: User, **kwargs: Any) -> None:  # noqa: ARG001
    """New recovery codes."""
    record(SecurityEvent.RECOVERY_CODES_MADE, user, request)


@receiver(mfa_signals.authenticator_used)
def note_used_factor(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:  # noqa: ARG001
    """A recovery code is used by who has lost the app, or by who has found the codes."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        record(SecurityEvent.RECOVERY_CODE_USED, user, request)


@receiver(mfa_signals.authentication_failed)
def note_refused_code(request: HttpRequest, user: User, **kwargs: Any) -> None:  # noqa: ARG001
    """A wrong or used code."""
    record(SecurityEvent.CODE_REFUSED, user, request)
