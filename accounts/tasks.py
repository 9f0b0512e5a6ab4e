"""Celery's tasks: mails, and the sweep that needs no nudge."""

from celery import shared_task
from django.utils import timezone

from accounts.mail_delivery import deliver_due, forget_settled
from accounts.sessions import SessionStore
from accounts.sign_in.events import SecurityEvent, record
from accounts.sign_in.limits import user_of
from accounts.vault_session import forget_expired
from chain.support.single_flight import SingleFlight

_deliver = SingleFlight(deliver_due)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def send_mails() -> int:
    """Send the mails that are due. On a queue of its own, and in one thread of a process at most."""
    return _deliver()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def tell_sign_in_locked(email: str) -> None:
    """Mail a person that wrong passwords were typed too often; nobody, where there is no account."""
    user = user_of(email)
    if user is not None:
        record(SecurityEvent.SIGN_IN_LOCKED, user)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Forget sessions, opened vaults and settled mails that are past their time."""
    now = timezone.now()
    forget_expired(now)
    SessionStore.clear_expired()
    forget_settled(now)
