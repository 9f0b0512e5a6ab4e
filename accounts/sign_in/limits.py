"""How often a wrong password may be typed.

A browser that its person has signed in with before is counted alone. Strangers are counted by their address
together with the mail address that they name, and by their address alone. All strangers together are counted
by the mail address, so that many addresses are bounded as well. The answer does not tell whether there is an
account.
"""

import hashlib
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest

from accounts.models import User
from accounts.sign_in.known_browsers import known_browser
from chain.support.wakeup import ask_for_task

KNOWN_BROWSER = "5/5m/key"
STRANGER = "10/m/ip,5/5m/key"
ALL_STRANGERS = "50/h/key"
TOLD_EVERY = 3600
"""Seconds between two mails that say an account is locked."""
TASK = "accounts.tasks.tell_sign_in_locked"


@dataclass
class Attempt:
    """A try that has been counted, and is taken off again when the password was right."""

    usages: list[ratelimit.RateLimitUsage]

    def rollback(self) -> None:
        """Take it off."""
        for usage in self.usages:
            usage.rollback()


def count_attempt(request: HttpRequest, email: str) -> Attempt | None:
    """Count a try to sign in with this mail address; None if there were too many."""
    attempt = Attempt([])
    for rates, key in _counts(request, email.lower()):
        usage = ratelimit.consume(
            request, app="allauth.account", action="login_failed", config={"login_failed": rates}, key=key
        )
        if usage is None:
            attempt.rollback()
            return None
        attempt.usages.append(usage)
    return attempt


def clear_attempts(request: HttpRequest, email: str) -> None:
    """Forget what was counted for a mail address: its person has set a new password."""
    for rates, key in _counts(request, email.lower()):
        of_key = ",".join(rate for rate in rates.split(",") if rate.endswith("/key"))
        ratelimit.clear(
            request, app="allauth.account", action="login_failed", config={"login_failed": of_key}, key=key
        )


def tell_locked(email: str) -> None:
    """Have a worker mail the person, if there is one: here, known and unknown take the same time."""
    told = "sign-in-locked:" + hashlib.sha256(email.lower().encode()).hexdigest()
    if cache.get(told) is None and cache.add(told, 1, TOLD_EVERY):
        ask_for_task(TASK, email.lower())


def user_of(email: str) -> User | None:
    """Whose sign-in this mail address is."""
    address = EmailAddress.objects.select_related("user").filter(email=email.lower(), verified=True).first()
    return address.user if address else None


def _counts(request: HttpRequest, email: str) -> list[tuple[str, str]]:
    """Rates, and the key that each is counted by."""
    user, browser = user_of(email), known_browser(request)
    if user is not None and browser.knows(user):
        return [(KNOWN_BROWSER, f"browser:{browser.id}:{email}")]
    if user is not None and request.user == user:
        return [(KNOWN_BROWSER, f"signed-in:{user.pk}")]
    return [(STRANGER, f"{ratelimit.get_ip(request)}:{email}"), (ALL_STRANGERS, email)]
