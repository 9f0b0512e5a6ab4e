"""Runs of a person's key tasks: one at a time, each a few seconds after the last."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError
from django.db.models import Count, Q
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import User, Vault
from accounts.services.errands import due_errands, run_errands, runnable_errands
from chain.support.moments import is_past

PACE = timedelta(seconds=5)
LEASE = timedelta(seconds=60)  # of a run whose process died; longer than a run takes


@dataclass(frozen=True)
class DueTasks:
    """How many of a person's key tasks can be tried now, and how many of them never were."""

    total: int
    untried: int

    @property
    def running(self) -> str:
        """Return the line that a page shows meanwhile."""
        things = "1 thing" if self.untried == 1 else f"{self.untried} things"
        return f"Finishing {things} that needed you ..."


def due_tasks(user: User) -> DueTasks:
    """Count the key tasks of all the user's accounts."""
    due = due_errands().filter(account__in=user.accounts.values("address"))
    counts = due.aggregate(total=Count("pk"), untried=Count("pk", filter=Q(attempts=0)))
    return DueTasks(**counts)


def count_waiting(actor: Actor) -> int:
    """Count what waits for the actor's key, tried a moment ago or not."""
    return runnable_errands().filter(account=actor.address).count()


def run_in_turn(user: User, actors: Iterable[Actor]) -> int:
    """Run what waits for the keys of these accounts of the user; return how many tasks were done.

    Does nothing while another request of the same person runs them, or did a moment ago.
    """
    begin = timezone.now()
    until = begin + LEASE
    if not _take_turn(user, until):
        return 0
    try:
        return sum(run_errands(actor) for actor in actors)
    finally:
        with suppress(OperationalError):
            Vault.objects.filter(user=user, key_tasks_after=until).update(key_tasks_after=begin + PACE)


def _take_turn(user: User, until: datetime) -> bool:
    if not due_tasks(user).total:
        return False
    free = Vault.objects.filter(is_past("key_tasks_after", horizon=LEASE), user=user)
    try:
        return bool(free.update(key_tasks_after=until))
    except OperationalError:  # a full disk: what waits for the keys waits on
        return False
