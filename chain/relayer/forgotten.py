"""Transactions that this portal has sent and its database does not know: then the database is an older one.

The chain is the one witness that outlives a whole machine. A relayer sends only what its portal has accepted.
So an act that came in a transaction of our relayer, and has no row, was accepted here after the backup.
"""

import logging
from datetime import timedelta
from threading import Lock

from django.db.models import Exists, Max, Min, OuterRef
from django.utils import timezone

from chain.errors import ChainError
from chain.models import Act, Attempt, Event, Incarnation
from chain.node import client
from chain.relayer.sender import working_addresses
from chain.restore import incarnation

logger = logging.getLogger(__name__)

AT_ONCE = 50
QUIET_AFTER = timedelta(minutes=10)  # a restore was noticed: what comes in now is what it forgot


class Watch:
    """Looks at the events that came in since it looked last."""

    def __init__(self) -> None:
        self._seen: int | None = None
        self._lock = Lock()

    def look(self) -> bool:
        """Return whether another life of the database has begun, since the chain has what this one forgot."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._look()
        finally:
            self._lock.release()

    def _look(self) -> bool:
        newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
        seen, self._seen = self._seen, newest
        if seen is None or newest <= seen or _is_told():
            return False
        known = Act.objects.filter(digest=OuterRef("act_digest"))
        unknown = Event.objects.filter(~Exists(known), pk__gt=seen)
        hashes = list(unknown.order_by("-pk").values_list("tx_hash", flat=True)[:AT_ONCE])
        try:
            if not _are_ours(set(hashes)):
                return False
        except ChainError as error:
            logger.info("who sent transactions cannot be asked now: %s", error)
            self._seen = seen
            return False
        first = unknown.aggregate(first=Min("block_number"))["first"]
        incarnation.begin_restored(read_block=first - 1)
        return True


def _is_told() -> bool:
    """Return whether a restore is being settled, or was noticed a moment ago."""
    life = incarnation.recent()
    if life.reason != Incarnation.Reason.RESTORED:
        return False
    return life.settled_at is None or abs(timezone.now() - life.began_at) < QUIET_AFTER


def _are_ours(hashes: set[str]) -> bool:
    hashes -= set(Attempt.objects.filter(hash__in=hashes).values_list("hash", flat=True))
    if not hashes:
        return False
    ours = set(working_addresses())
    return any(receipt.sender in ours for receipt in client.receipts(sorted(hashes)) if receipt is not None)
