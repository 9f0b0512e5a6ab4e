"""One process at a time at a relayer key's nonces: a lease on its row, by conditional updates."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from chain.errors import ChainError
from chain.models import Sender
from chain.support.shared_clock import SharedNow, ended

_TERM = timedelta(seconds=20)  # after a crash, the next process waits this long at most
_WAIT = timedelta(seconds=20)  # for SQLite's lock, after the clock was read: others lease meanwhile


class LeaseLost(ChainError):
    """The lease ran out and somebody else has it: what was about to be saved must not be."""


@dataclass
class Lease:
    """A held lease. `renew` inside a transaction makes that transaction depend on it."""

    sender: Sender
    token: str
    renewed: float  # by the monotonic clock

    def renew(self) -> None:
        """Hold it for another term; LeaseLost if it is no longer ours."""
        now = time.monotonic()
        own_row = Sender.objects.filter(pk=self.sender.pk, lease=self.token)
        if own_row.update(lease_tick=SharedNow(_TERM), leased_until=timezone.now() + _TERM) != 1:
            raise LeaseLost("Another process sends with this key.")
        self.renewed = now

    def keep(self) -> None:
        """Renew it where a good part of its term is over: before something that may take long."""
        if time.monotonic() - self.renewed > _TERM.total_seconds() / 4:
            self.renew()


@contextmanager
def hold(sender: Sender) -> Iterator[Lease | None]:
    """The lease for the time of the block; None if another process has it."""
    token = secrets.token_hex(16)
    free = Sender.objects.filter(Q(lease="") | ended("lease_tick", _TERM + _WAIT), pk=sender.pk)
    if not _take(free, token):
        yield None
        return
    try:
        yield Lease(sender, token, time.monotonic())
    finally:
        own_row = Sender.objects.filter(pk=sender.pk, lease=token)
        own_row.update(lease="", lease_tick=SharedNow(), leased_until=timezone.now())


def _take(senders: QuerySet[Sender], token: str) -> bool:
    until = timezone.now() + _TERM
    return senders.update(lease=token, lease_tick=SharedNow(_TERM), leased_until=until) == 1
