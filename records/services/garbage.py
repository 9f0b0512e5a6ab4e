"""Contents that nothing names: noted, and erased when they stay so for the grace time.

Only what this portal has put itself is looked at (`records.holdings`): a node may serve others too. A content
belongs to one record, so that whoever may name it is found by the record. It is given up in a transaction
that looks again at all who name it. Whoever comes to name it does so through the same row, and is refused.
"""

import logging
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from chain.models.bulk import batches, rows_in
from chain.status import lag
from records.content import store
from records.erasing import erase_given_up, give_up_contents, named
from records.holdings import ERASING, KEPT
from records.models import Holding, Upload
from records.storage.errors import StorageError

logger = logging.getLogger(__name__)

AT_ONCE = 500
ERASED_AT_ONCE = 100  # an IPFS node looks through all its pins for each
UNDER_WAY = timedelta(hours=1)  # from a content's last byte to its act: seconds, or a store's longest answer


def collect_garbage() -> int:
    """One round: look at some contents, give up those whose time has come, erase; returns how many.

    Raises StorageError when the store does not answer: what is given up is erased in a later round.
    """
    if lag.knows_chain():
        note_unnamed()
        _give_up_old()
    return erase_garbage()


def note_unnamed() -> int:
    """Look at the contents that were not looked at for longest. Returns how many of them nothing names."""
    now = timezone.now()
    contents = Holding.objects.filter(state=KEPT, put_at__lte=now - UNDER_WAY).exclude(record="")
    some = list(contents.order_by(F("looked_at").asc(nulls_first=True), "pk")[:AT_ONCE])
    named = named_among(some)
    unnamed = [row.pk for row in some if row.pk not in named]
    for part in batches(row.pk for row in some):
        Holding.objects.filter(pk__in=part).update(looked_at=now)
    for part in batches(named):
        Holding.objects.filter(pk__in=part, state=KEPT).update(unnamed_since=None)
    for part in batches(unnamed):
        Holding.objects.filter(pk__in=part, state=KEPT, unnamed_since=None).update(unnamed_since=now)
    return len(unnamed)


def named_among(holdings: list[Holding]) -> set[str]:
    """Digests of those contents that a version, an event, an act that may still count, or an upload names.

    An upload that is not done has no digest yet: it names whatever its record has.
    """
    return named({row.pk for row in holdings}) | _uploading(holdings)


def discard_content(digest: str) -> None:
    """Erase a content whose act came to nothing, unless it is named. At once, if the store answers."""
    with suppress(StorageError):
        if give_up_contents([Holding.objects.get(pk=digest)]):
            erase_given_up(store(), digest)


def erase_garbage() -> int:
    """Erase what was given up. Returns how many. Raises StorageError."""
    given_up = Holding.objects.filter(state=ERASING).values_list("pk", flat=True)
    return sum(erase_given_up(store(), digest) for digest in given_up[:ERASED_AT_ONCE])


def _uploading(holdings: list[Holding]) -> set[str]:
    """Digests of the contents of records that are being uploaded: one of them will be named."""
    open_uploads = Upload.objects.exclude(state=Upload.State.DONE).only("record")
    uploading = {row.record for row in rows_in(open_uploads, "record", {row.record for row in holdings})}
    return {row.pk for row in holdings if row.record in uploading}


def _give_up_old() -> None:
    since = timezone.now() - timedelta(days=settings.STORE_GRACE_DAYS)
    old = list(Holding.objects.filter(state=KEPT, unnamed_since__lte=since)[:AT_ONCE])
    for digest in give_up_contents(old, named_too=_uploading):
        logger.info("content %s was named by nothing for the grace time: erased", digest)
