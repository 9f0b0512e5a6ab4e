"""Contents that nothing names: noted, and erased when they stay so for the grace time.

Only what this portal has put itself is looked at (`records.holdings`): a node may serve others too. A content
belongs to one record, so that whoever may name it is found by the record. It is given up in a transaction
that looks again at all who name it; whoever comes to name it does so through the same row, and is refused.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Errand
from chain import lag
from chain.models import Act, ActState, Event
from chain.models.bulk import batches, rows_in
from chain.slots import slot_record
from records.content import store
from records.holdings import ERASING, KEPT, erase_given_up
from records.models import Holding, Upload, Version
from records.services.states import SEND_AGAIN
from records.storage.errors import StorageError

logger = logging.getLogger(__name__)

AT_ONCE = 500
ERASED_AT_ONCE = 100  # an IPFS node looks through all its pins for each
UNDER_WAY = timedelta(hours=1)  # from a content's last byte to its act: seconds, or a store's longest answer
_STANDING = (ActState.WAITING, ActState.CONFIRMED)
_TELLING = ("RecordAdded", "RecordModified")


class _Named(Exception):
    """It is named after all."""


def collect_garbage() -> int:
    """One round: look at some contents, give up those whose time has come, erase; returns how many.

    Raises StorageError when the store does not answer: what is given up is erased in a later round.
    """
    if lag.knows_chain():
        note_unnamed()
        _give_up_old()
    return erase_garbage()


def note_unnamed() -> int:
    """Look at the contents that were not looked at for longest; returns how many of them nothing names."""
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
    open_uploads = Upload.objects.exclude(state=Upload.State.DONE).only("record")
    uploading = {row.record for row in rows_in(open_uploads, "record", {row.record for row in holdings})}
    return _named_for_good(holdings) | {row.pk for row in holdings if row.record in uploading}


def _named_for_good(holdings: list[Holding]) -> set[str]:
    digests = {row.pk for row in holdings}
    named = {row.content for row in rows_in(Version.objects.only("content"), "content", digests)}
    slots = {slot_record(row.record) for row in holdings}
    named |= {event["content"] for event in rows_in(Event.objects.named(*_TELLING), "slot", slots)}
    acts = list(rows_in(Act.objects.of_kind("NewRecord", "ModifyRecord"), "slot", slots))
    refused = [act.digest for act in acts if act.state not in _STANDING]
    errands = Errand.objects.filter(kind=SEND_AGAIN, state=Errand.State.OPEN)
    again = {errand.subject for errand in rows_in(errands, "subject", refused)}
    named |= {act.fields["content"] for act in acts if act.state in _STANDING or act.digest in again}
    return named & digests


def discard_content(digest: str) -> None:
    """Erase a content whose act came to nothing, unless it is named; at once, if the store answers."""
    with suppress(_Named, StorageError):
        _give_up_unless(_named_for_good, Holding.objects.get(pk=digest))
        erase_given_up(store(), digest)


def erase_garbage() -> int:
    """Erase what was given up; returns how many. Raises StorageError."""
    given_up = Holding.objects.filter(state=ERASING).values_list("pk", flat=True)
    return sum(erase_given_up(store(), digest) for digest in given_up[:ERASED_AT_ONCE])


def _give_up_old() -> None:
    since = timezone.now() - timedelta(days=settings.STORE_GRACE_DAYS)
    for row in Holding.objects.filter(state=KEPT, unnamed_since__lte=since)[:AT_ONCE]:
        with suppress(_Named):
            _give_up_unless(named_among, row)
            logger.info("content %s was named by nothing since %s: erased", row.pk, row.unnamed_since)


def _give_up_unless(named: Callable[[list[Holding]], set[str]], row: Holding) -> None:
    """Raises _Named when it is named now, or was put or named since it was looked at."""
    with transaction.atomic():
        same = Holding.objects.filter(pk=row.pk, state=KEPT, unnamed_since=row.unnamed_since)
        if not same.update(state=ERASING, unnamed_since=None, lost_since=None) or named([row]):
            raise _Named
