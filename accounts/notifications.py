"""Mails: that something waits, and a link. Never a medical word, and no secret in queue or database.

A mail carries no words that a person has chosen: no name, no note. So nobody can send a text of their own to
somebody else's mailbox. An invitation names its institution, whose name an administrator has typed in.
"""

from datetime import timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.models import Account, Notification, User

TASK = "accounts.tasks.send_notification"


def notify(
    who: str | User, template: str, context: dict[str, Any] | None = None, *, to: str = ""
) -> Notification | None:
    """Queue the mail `templates/mail/<template>.txt` for a user, or for the user behind an address.

    The context is kept and queued: ids, paths and fixed sentences only. None if no user stands behind the
    address, if the user's e-mail address is not verified (a stranger may have typed it in), or if what others
    did has been mailed often enough today: it stands on the pages all the same. `to` is a verified address
    that gets the mail in place of the user's own: one that the user has just given up.
    """
    user = who if isinstance(who, User) else _user_behind(who)
    if user is None or not (to or user.email_verified):
        return None
    if template.startswith("access_") and _is_enough(user, template):
        return None
    row = Notification.objects.create(user=user, template=template, context=context or {}, to=to)
    transaction.on_commit(lambda: nudge(row))
    return row


def nudge(row: Notification) -> None:
    """Ask a worker to send it now; the sweep sends it anyway if this message is lost."""
    try:
        current_app.send_task(TASK, args=[str(row.pk)], retry=False)
    except current_app.connection_for_write().connection_errors:
        return


def send_link(*, email: str, template: str, context: dict[str, Any]) -> None:
    """Send a mail that carries a secret link, at once and from this process: a queue would keep the secret.

    Raises OSError or smtplib.SMTPException where the mail server refuses.
    """
    _send(email, template, context)


def send_queued(row: Notification) -> None:
    """Send one queued mail."""
    _send(row.to or row.user.email, row.template, row.context)


def _send(email: str, template: str, context: dict[str, Any]) -> None:
    text = render_to_string(f"mail/{template}.txt", {"portal": settings.PUBLIC_URL, **context})
    subject, _, body = text.strip().partition("\n")
    send_mail(subject.removeprefix("Subject: ").strip(), body.strip() + "\n", None, [email])


def _is_enough(user: User, template: str) -> bool:
    """Whether a mail of this kind went to the user so often today that one more says nothing new."""
    most = settings.LIMITS["NOTICES_PER_PERSON"]
    today = Notification.objects.filter(
        user=user, template=template, created_at__gt=timezone.now() - timedelta(days=1)
    )
    return bool(most) and today.count() >= most


def _user_behind(address: str) -> User | None:
    account = Account.objects.select_related("user").filter(address=address).first()
    return account.user if account else None
