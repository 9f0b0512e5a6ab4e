"""A SECRET_KEY that is not the one of before is noticed at the start, with what it costs."""

from collections.abc import Iterable

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from django.conf import settings

from accounts.crypto.derivation import derive, labelled
from accounts.crypto.errors import CryptoError
from accounts.models import Mark
from chain.operations.start_up import register_notice

_MARK = "secret key"
_SEALED = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}


@register_notice
def say_other_secret_key() -> Iterable[str]:
    """Compare SECRET_KEY with the mark of the first start. Sealed factors keep the old mark in force."""
    fresh = derive(settings.SECRET_KEY.encode(), labelled("secret-key-mark")).hex()
    mark, _ = Mark.objects.get_or_create(name=_MARK, defaults={"value": fresh})
    if mark.value == fresh:
        return []
    lost = sum(not _opens(factor) for factor in Authenticator.objects.filter(type__in=_SEALED))
    if not lost:
        Mark.objects.filter(name=_MARK).update(value=fresh)
    return [
        "SECRET_KEY is not the one of before: reset links and pages opened before do not work any more, and "
        f"{lost} second factors cannot be opened. Put the former one back (SECRET_KEY or var/secret_key)"
        + (", or delete those factors in the admin (MFA, Authenticators)." if lost else ".")
    ]


def _opens(factor: Authenticator) -> bool:
    try:
        decrypt(factor.data.get(_SEALED[factor.type], ""))
    except (CryptoError, ValueError):
        return False
    return True
