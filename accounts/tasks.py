"""Celery's tasks: mails by id, and the sweep that needs no nudge."""

import logging
from datetime import timedelta
from smtplib import SMTPException

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from accounts.models import Notification
from accounts.notifications import send_queued
from accounts.sessions import SessionStore
from accounts.sign_in.events import SecurityEvent, record
from accounts.sign_in.limits import user_of
from accounts.vault_session import forget_expired

logger = logging.getLogger(__name__)

CLAIM_LASTS = timedelta(minutes=10)
KEEP_SENT = timedelta(days=7)
ATTEMPTS = 10


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def send_notification(notification_id: str) -> bool:
    """Send one queued mail; whoever claims the row sends it. Where that fails, the sweep tries again."""
    now = timezone.now()
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_LASTS)
    row = Notification.objects.filter(free, pk=notification_id, sent_at=None).first()
    if row is None:
        return False
    claimed = Notification.objects.filter(free, pk=row.pk, attempts=row.attempts).update(
        claimed_at=now, attempts=row.attempts + 1
    )
    if not claimed:
        return False
    try:
        send_queued(row)
    except (OSError, SMTPException) as error:
        logger.warning("notification %s waits: %s", row.pk, type(error).__name__)
        return False
    return bool(Notification.objects.filter(pk=row.pk).update(sent_at=timezone.now()))


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def tell_sign_in_locked(email: str) -> None:
    """Mail a person that wrong passwords were typed too often; nobody, where there is no account."""
    user = user_of(email)
    if user is not None:
        record(SecurityEvent.SIGN_IN_LOCKED, user)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Send mails whose nudge was lost, forget sessions and opened vaults that are past their time."""
    now = timezone.now()
    forget_expired(now)
    SessionStore.clear_expired()
    Notification.objects.filter(sent_at__lt=now - KEEP_SENT).delete()
    unsent = Notification.objects.filter(
        sent_at=None, attempts__lt=ATTEMPTS, created_at__lt=now - timedelta(seconds=30)
    )
    for notification_id in unsent.order_by("created_at").values_list("pk", flat=True)[:200]:
        send_notification(str(notification_id))
