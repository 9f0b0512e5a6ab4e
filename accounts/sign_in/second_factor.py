"""Authenticator apps: a code counts once, and who needs one.

allauth accepts the codes of the steps before and after the present one (MFA_TOTP_TOLERANCE), so that a
phone's clock may be half a minute off. It remembers a used code for one step only, and in the cache: a code
would count twice. So the steps that were used stand in the authenticator's own row.
"""

import time

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from accounts.hosts import is_loopback
from accounts.models import User

USED = "used_steps"


def use_code(authenticator: Authenticator, code: str) -> bool:
    """Use up the code of an authenticator app; False if it is wrong or was used before."""
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        now = int(time.time()) // app_settings.TOTP_PERIOD
        used = [step for step in row.data.get(USED, []) if step >= now - app_settings.TOTP_TOLERANCE]
        steps = [step for step in _steps_of(row, code, now) if step not in used]
        if not steps:
            return False
        row.data[USED] = [*used, *steps]
        row.save(update_fields=["data"])
        authenticator.data = row.data
        return True


def use_activation_code(request: HttpRequest, authenticator: Authenticator) -> None:
    """The code that sets up an app is used up by it, and this session has then shown its second factor."""
    use_code(authenticator, request.POST.get("code", ""))
    record_authentication(request, authenticator.user, "mfa", id=authenticator.pk, type=authenticator.type)


def has_app(user: User) -> bool:
    """Whether the user has an authenticator app."""
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


def has_shown_factor(request: HttpRequest, user: User) -> bool:
    """Whether this session has shown a second factor: one that began before there was one has not."""
    return any(record["method"] == "mfa" for record in get_authentication_records(request, user))


def may_skip() -> bool:
    """On one machine alone, where nobody else comes to the sign-in, a second factor is asked for, no more."""
    return is_loopback(settings.PUBLIC_URL)


def must_show_factor(request: HttpRequest, user: User) -> bool:
    """Whether pages that need a second factor stay closed to this session."""
    return not has_shown_factor(request, user) if has_app(user) else not may_skip()


def _steps_of(authenticator: Authenticator, code: str, now: int) -> list[int]:
    secret = decrypt(authenticator.data["secret"])
    near = range(now - app_settings.TOTP_TOLERANCE, now + app_settings.TOTP_TOLERANCE + 1)
    return [
        step
        for step in near
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step)))
    ]
