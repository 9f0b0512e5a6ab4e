"""Mails: that something waits, and a link. Never a medical word, and no secret in queue or database.

Every mail is a row first, written in the transaction of what it tells about. A worker sends it
(`accounts.mail_delivery`), so no page waits for a mail server. A text that holds a code or a link is sealed
under a key made from SECRET_KEY: a copy of the database has none of them.

A mail carries no words that a person has chosen: no name, no note. So nobody can send a text of their own to
somebody else's mailbox. An invitation names its institution, whose name an administrator has typed in.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.crypto.derivation import derive, labelled
from accounts.crypto.vault import open_under, seal_under
from accounts.models import Account, Notification, User
from accounts.models.notifications import TRIED_FOR
from chain.support.wakeup import Wakeup

_nudge = Wakeup("accounts.tasks.send_mails")
_is_silent = ContextVar("_is_silent", default=False)


@contextmanager
def unsent_mails() -> Iterator[None]:
    """Keep the mails that are queued in the `with` from being sent: nobody reads the demo's."""
    token = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(token)


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
    now = timezone.now()
    row = Notification(user=user, template=template, context=context or {}, to=to, expires_at=now + TRIED_FOR)
    _end_if_silent(row, now)
    row.save(force_insert=True)
    transaction.on_commit(_nudge.give)
    return row


def queue_link(
    *, email: str, template: str, context: dict[str, Any], lasts: timedelta, about: str
) -> Notification:
    """Queue a mail of ours that carries a secret link, which works for `lasts`. `about` names its object."""
    subject, body = _render(template, context)
    return queue_sealed(email=email, kind=template, subject=subject, body=body, lasts=lasts, about=about)


def queue_sealed(
    *, email: str, kind: str, subject: str, body: str, lasts: timedelta = TRIED_FOR, about: str = ""
) -> Notification:
    """Queue a mail whose text holds a code or a link. It is not sent later than `lasts` from now.

    It replaces a mail of the same kind, object and address that is not on its way yet.
    """
    now = timezone.now()
    older = Notification.objects.waiting().filter(to=email, template=kind, about=about, claimed_at=None)
    row = Notification(to=email, template=kind, about=about, expires_at=now + min(lasts, TRIED_FOR))
    row.sealed = seal_under(_mail_key(), json.dumps([subject, body]).encode(), _mail_context(row))
    _end_if_silent(row, now)
    with transaction.atomic():
        older.update(ended_at=now, ended_as=Notification.Ending.REPLACED, sealed=None)
        row.save(force_insert=True)
        transaction.on_commit(_nudge.give)
    return row


def drop_mails(about: str) -> None:
    """Give up the mails about an object that are not on their way yet: it was taken back."""
    waiting = Notification.objects.waiting().filter(about=about)
    waiting.update(ended_at=timezone.now(), ended_as=Notification.Ending.REPLACED, sealed=None)


def text_of(row: Notification) -> tuple[str, str]:
    """Return a mail's subject and body. Raises CannotOpen if it was sealed under another SECRET_KEY."""
    if row.sealed is None:
        return _render(row.template, row.context)
    subject, body = json.loads(open_under(_mail_key(), bytes(row.sealed), _mail_context(row)))
    return subject, body


def is_mail_late() -> bool:
    """Whether mails wait that were tried in vain: the mail server does not answer, or takes nothing now."""
    return Notification.objects.late().exists()


def is_delayed(email: str) -> bool:
    """Whether a mail to this address was tried in vain within the last hour, and none has been sent since.

    One that a newer has replaced counts, too: so the answer is the same for an address that is registered
    and for one that is not.
    """
    recent = Notification.objects.filter(to=email, created_at__gt=timezone.now() - timedelta(hours=1))
    open_or_replaced = Q(ended_at=None) | Q(ended_as=Notification.Ending.REPLACED)
    failed = recent.filter(open_or_replaced, sent_at=None).exclude(problem="").order_by("-created_at").first()
    return failed is not None and not recent.filter(sent_at__gt=failed.created_at).exists()


def undelivered(about: str, addresses: Iterable[str]) -> set[tuple[str, str]]:
    """Return (about, address) of mails that will never arrive, if no newer one has been queued.

    `about` is the beginning of the names of the objects that are asked for.
    """
    rows = Notification.objects.filter(to__in=list(addresses), about__startswith=about)
    newest = {
        (name, to): ending
        for name, to, ending in rows.order_by("created_at").values_list("about", "to", "ended_as")
    }
    lost = (Notification.Ending.REFUSED, Notification.Ending.EXPIRED)
    return {place for place, ending in newest.items() if ending in lost}


def is_refused(email: str) -> bool:
    """Whether the newest mail to this address was refused for good, within the last hour."""
    recent = Notification.objects.filter(to=email, created_at__gt=timezone.now() - timedelta(hours=1))
    newest = recent.order_by("-created_at").first()
    return newest is not None and newest.ended_as == Notification.Ending.REFUSED


def _end_if_silent(row: Notification, now: datetime) -> None:
    if _is_silent.get():
        row.ended_at, row.ended_as, row.sealed = now, Notification.Ending.REPLACED, None


def _render(template: str, context: dict[str, Any]) -> tuple[str, str]:
    text = render_to_string(f"mail/{template}.txt", {"portal": settings.PUBLIC_URL, **context})
    subject, _, body = text.strip().partition("\n")
    return subject.removeprefix("Subject: ").strip(), body.strip() + "\n"


def _mail_key() -> bytes:
    return derive(settings.SECRET_KEY.encode(), labelled("mail"))


def _mail_context(row: Notification) -> bytes:
    return labelled("mail", row.pk.bytes, row.to.encode())


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
