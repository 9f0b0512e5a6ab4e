"""What happens to a sign-in: a line in the log, and a mail where it could be somebody else's doing.

A line names the event, the user's id and the address that it came from. It holds no password, code, e-mail
address, name or medical word. A mail says one fixed sentence, when, and from which address.
"""

import logging
from enum import Enum

from allauth.core.internal.httpkit import get_client_ip
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from accounts.notifications import notify

logger = logging.getLogger("accounts.security")

UNKNOWN = "-"


class SecurityEvent(Enum):
    """An event's name in the log, and the sentence of its mail (none: it is logged only)."""

    SIGNED_IN = ("signed-in", "")
    SIGNED_IN_NEW_BROWSER = ("signed-in-new-browser", "Somebody signed in with a browser that is new to us.")
    SIGN_IN_FAILED = ("sign-in-failed", "")
    SIGN_IN_LOCKED = (
        "sign-in-locked",
        "A wrong password was typed too often for your account. Further tries were refused for a while.",
    )
    SIGNED_OUT = ("signed-out", "")
    CODE_REFUSED = ("code-refused", "")
    PASSWORD_CHANGED = ("password-changed", "Your password was changed. All API tokens have ended.")
    PASSWORD_RESET = ("password-reset", "Your password was reset. All API tokens have ended.")
    EMAIL_ADDED = ("email-added", "An e-mail address was added to your account.")
    EMAIL_REMOVED = ("email-removed", "An e-mail address was removed from your account.")
    PRIMARY_EMAIL_CHANGED = (
        "primary-email-changed",
        "Mail of this portal goes to another address from now on.",
    )
    FACTOR_ADDED = ("factor-added", "A second factor was added to your sign-in.")
    FACTOR_REMOVED = ("factor-removed", "A second factor was removed from your sign-in.")
    FACTOR_REMOVED_BY_ADMINISTRATOR = (
        "factor-removed-by-administrator",
        "An administrator removed a second factor from your sign-in.",
    )
    RECOVERY_CODES_MADE = ("recovery-codes-made", "New recovery codes were made. The former ones have ended.")
    RECOVERY_CODE_USED = ("recovery-code-used", "A recovery code was used to sign in.")
    TOKEN_MADE = ("token-made", "An API token was made for your account.")
    TOKEN_ENDED = ("token-ended", "An API token of your account has ended.")
    TOKEN_REFUSED = ("token-refused", "")
    PHRASE_SHOWN = ("phrase-shown", "Your recovery phrase was shown.")
    PHRASE_USED = ("phrase-used", "Your recovery phrase was used to open your records.")
    POWERS_CHANGED = ("powers-changed", "An administrator changed what you may do in this portal.")

    @property
    def code(self) -> str:
        """The name in the log."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """What the mail says; empty where there is none."""
        return self.value[1]


def record(
    event: SecurityEvent,
    user: User | None,
    request: HttpRequest | None = None,
    *,
    to: str = "",
    by: object = "",
) -> None:
    """Log an event of a user's sign-in, and mail it.

    `to` is the address of the mail, where it is not the user's own: the one that was just removed. `by` is
    the id of an administrator who did it. The mail is queued in the caller's transaction.
    """
    log(event, user, request, by=by)
    if user is not None and user.is_active and event.sentence:
        at = f"{timezone.now():%Y-%m-%d %H:%M} UTC"
        notify(user, "security", {"what": event.sentence, "at": at, "peer": peer_of(request)}, to=to)


def log(
    event: SecurityEvent, user: User | None, request: HttpRequest | None = None, *, by: object = ""
) -> None:
    """Log an event, and mail nothing."""
    who = user.pk if user is not None else UNKNOWN
    logger.info("%s user=%s from=%s by=%s", event.code, who, peer_of(request), by or UNKNOWN)


def peer_of(request: HttpRequest | None) -> str:
    """The address that a request really came from; "-" where there is none."""
    return (get_client_ip(request) if request is not None else None) or UNKNOWN
