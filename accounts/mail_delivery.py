"""Sending the mails that wait: over one connection, with a deadline, for three days.

A server that is down, silent or full is no mail's fault: the run ends, and the next one tries another mail
first. A mail that the server refuses for now (4xx, RFC 5321) waits longer each time. One that it refuses for
good (5xx) is given up, and the operator and the page that waits for it say so.
"""

import logging
import smtplib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from accounts.models import Notification
from accounts.models.notifications import LONGEST_PAUSE, TRIED_FOR
from accounts.notifications import text_of

logger = logging.getLogger(__name__)

AT_ONCE = 100
FIRST_PAUSE = timedelta(minutes=1)
KEEP_SETTLED = timedelta(days=7)


@dataclass(frozen=True)
class Problem:
    """Why a mail was not sent: for good or for now, and whether the server fails with every mail."""

    words: str
    final: bool = False
    of_server: bool = False


def deliver_due() -> int:
    """Send the mails that are due; return how many. Ends where the server fails."""
    _end_expired(timezone.now())
    connection, sent = get_connection(), 0
    try:
        for row in Notification.objects.due(timezone.now()).select_related("user")[:AT_ONCE]:
            if not _claim(row):
                continue
            problem = _send(connection, row)
            _settle(row, problem)
            sent += problem is None
            if problem is not None and problem.of_server:
                break
    finally:
        with suppress(OSError):
            connection.close()
    return sent


def forget_settled(now: datetime) -> None:
    """Delete mails that were sent or given up a week ago."""
    Notification.objects.filter(sent_at__lt=now - KEEP_SETTLED).delete()
    Notification.objects.filter(ended_at__lt=now - KEEP_SETTLED).delete()


def _end_expired(now: datetime) -> None:
    """Give up what would tell of a code or link that no longer works, or has been tried for three days."""
    waiting = Notification.objects.waiting()
    changes = {"ended_at": now, "ended_as": Notification.Ending.EXPIRED, "sealed": None}
    count = waiting.filter(expires_at__lte=now).update(**changes)
    count += waiting.filter(expires_at=None, created_at__lte=now - TRIED_FOR).update(**changes)
    if count:
        logger.warning("%s mails could not be sent in time and were given up", count)


def _claim(row: Notification) -> bool:
    now = timezone.now()
    due = Notification.objects.due(now).filter(pk=row.pk, attempts=row.attempts).order_by()
    row.attempts += 1
    return bool(due.update(claimed_at=now, attempts=row.attempts))


def _send(connection: BaseEmailBackend, row: Notification) -> Problem | None:
    """Send one mail; None when the server took it."""
    try:
        subject, body = text_of(row)
        message = EmailMessage(subject, body, None, [row.address], connection=connection)
    except Exception as error:  # one bad row must not hold up the others
        return Problem(f"it cannot be written: {type(error).__name__}", final=True)
    try:
        connection.open()
    except OSError as error:
        return Problem(_words(error), of_server=True)
    try:
        message.send()
    except Exception as error:
        return _problem_of(error)
    return None


def _problem_of(error: Exception) -> Problem:
    """Tell a refusal of this mail from a failure of the server."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
        return _refusal(code, text)
    if isinstance(error, smtplib.SMTPDataError):
        return _refusal(error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPNotSupportedError | ValueError):
        return Problem(_words(error), final=True)
    return Problem(_words(error), of_server=isinstance(error, OSError))


def _refusal(code: int, text: bytes | str) -> Problem:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    words = f"{code} {' '.join(said.split())}"
    return Problem(words, final=500 <= code < 600, of_server=code == 421)  # 421: it is closing down


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _refusal(error.smtp_code, error.smtp_error).words
    return f"{type(error).__name__}: {error}"


def _settle(row: Notification, problem: Problem | None) -> None:
    """Write down what came of an attempt."""
    now, mail = timezone.now(), Notification.objects.filter(pk=row.pk)
    if problem is None:
        mail.update(sent_at=now, sealed=None, problem="", claimed_at=None)
        return
    words = problem.words[:200]
    # The server's words may name the address: they stand in the row alone.
    logger.warning("mail %s (%s) was not sent: %s", row.pk, row.template, words.split(maxsplit=1)[0])
    if problem.final:
        ending = Notification.Ending.REFUSED
        mail.update(ended_at=now, ended_as=ending, sealed=None, problem=words, claimed_at=None)
        return
    pause = min(FIRST_PAUSE * 2 ** min(row.attempts - 1, 10), LONGEST_PAUSE)
    due_at = None if problem.of_server else now + pause
    mail.update(due_at=due_at, problem=words, claimed_at=None)
