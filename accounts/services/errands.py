"""Errands: what waits for an account's keys, done at that account's next opening or decided on a page."""

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.actor import Actor
from accounts.errors import AccountsError
from accounts.models import Errand
from chain.errors import ChainError, ChainUnavailable
from chain.support.moments import is_past

logger = logging.getLogger(__name__)

Runner = Callable[[Actor, Errand], bool]
AGAIN_AFTER = timedelta(seconds=5)
AT_ONCE = 50
AT_MOST_SECONDS = 3.0

_runners: dict[str, Runner] = {}
_cards: dict[str, Callable[[Errand], "ErrandCard"]] = {}


@dataclass(frozen=True)
class ErrandCard:
    """How a page shows an errand that needs a decision, or news that somebody has to read."""

    title: str
    text: str
    url: str
    is_news: bool = False


def add_errand(*, account: str, kind: str, subject: str, details: dict[str, Any] | None = None) -> Errand:
    """Leave an errand for an account; one that is already open is returned as it is."""
    errand, _ = Errand.objects.get_or_create(
        account=account,
        kind=kind,
        subject=subject,
        state=Errand.State.OPEN,
        defaults={"details": details or {}},
    )
    return errand


def settle_errand(errand: Errand, *, dropped: bool = False) -> bool:
    """Mark an open errand done (or dropped); False if somebody else was first."""
    state = Errand.State.DROPPED if dropped else Errand.State.DONE
    return bool(
        Errand.objects.filter(pk=errand.pk, state=Errand.State.OPEN).update(
            state=state, settled_at=timezone.now()
        )
    )


def settle_errands(*, kind: str, subject: str, account: str | None = None, dropped: bool = False) -> int:
    """The same for every open errand about a subject, of one account or of all; returns how many."""
    found = Errand.objects.filter(kind=kind, subject=subject, state=Errand.State.OPEN)
    if account is not None:
        found = found.filter(account=account)
    state = Errand.State.DROPPED if dropped else Errand.State.DONE
    return found.update(state=state, settled_at=timezone.now())


def runs_errand(kind: str) -> Callable[[Runner], Runner]:
    """Decorator: this function does errands of this kind by itself; True means done."""

    def register(runner: Runner) -> Runner:
        _runners[kind] = runner
        return runner

    return register


def shows_errand(kind: str) -> Callable[[Callable[[Errand], ErrandCard]], Callable[[Errand], ErrandCard]]:
    """Decorator: errands of this kind need a decision; this function says how a page shows one."""

    def register(card: Callable[[Errand], ErrandCard]) -> Callable[[Errand], ErrandCard]:
        _cards[kind] = card
        return card

    return register


def decisions_for(account: str) -> list[ErrandCard]:
    """The account's open errands that need a decision, oldest first."""
    found = Errand.objects.filter(account=account, state=Errand.State.OPEN, kind__in=_cards)
    return [_cards[errand.kind](errand) for errand in found]


def waiting_for(account: str) -> int:
    """How many of the account's errands will run by themselves; those that may need a decision apart."""
    kinds = [kind for kind in _runners if kind not in _cards]
    return Errand.objects.filter(account=account, state=Errand.State.OPEN, kind__in=kinds).count()


def runnable_errands() -> QuerySet[Errand]:
    """Return everybody's open errands that run by themselves."""
    return Errand.objects.filter(state=Errand.State.OPEN, kind__in=_runners)


def due_errands() -> QuerySet[Errand]:
    """Return those of them that were not tried a moment ago."""
    return runnable_errands().filter(is_past("tried_at", AGAIN_AFTER))


def run_errands(actor: Actor) -> int:
    """Run what this actor's open keys can do; returns how many were done. Never raises."""
    if not actor.can_sign:
        return 0
    due = due_errands().filter(account=actor.address)
    due = due.order_by(F("tried_at").asc(nulls_first=True), "created_at")
    done, until = 0, time.monotonic() + AT_MOST_SECONDS
    for errand in due[:AT_ONCE]:
        try:
            done += _run(actor, errand)
        except (ChainUnavailable, OperationalError):
            # The next one would only wait for the same node, or for room on the same disk.
            break
        if time.monotonic() > until:
            break
    return done


def _run(actor: Actor, errand: Errand) -> bool:
    claimed = Errand.objects.filter(pk=errand.pk, state=Errand.State.OPEN, attempts=errand.attempts).update(
        attempts=errand.attempts + 1, tried_at=timezone.now()
    )
    if not claimed:
        return False
    try:
        finished = _runners[errand.kind](actor, errand)
    except (ChainUnavailable, OperationalError):
        raise
    except (AccountsError, ChainError) as error:
        logger.info("errand %s (%s) waits: %s", errand.pk, errand.kind, type(error).__name__)
        return False
    except Exception as error:
        # The call that happened to run it must not suffer. Without the message, which may hold medical words.
        where = "".join(traceback.format_tb(error.__traceback__))
        logger.error("errand %s (%s) failed: %s\n%s", errand.pk, errand.kind, type(error).__name__, where)
        return False
    return finished and settle_errand(errand)
