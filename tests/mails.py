"""Mails as the tests read them: what waits is sent first, as the worker would."""

from django.core import mail
from django.core.mail import EmailMessage

from accounts.mail_delivery import deliver_due


def outbox() -> list[EmailMessage]:
    """All mails sent so far, those included that waited for the worker."""
    deliver_due()
    return list(mail.outbox)


def newest_mail() -> EmailMessage:
    """The mail that was written last."""
    return outbox()[-1]
