"""The one gate to erasing: only this portal's own files go, and none that anything names.

Everybody may name every digest: in an act, and in a list of envelopes. So a digest that stands in a list says
nothing about whose file it is. Own are the contents that this portal has put for a record, and the envelopes
that it sealed for a list or saw opened in that list's context. From a node, which others may use too, only
what this portal has put (a Holding) is erased, whatever else is true of it.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import Errand
from chain.indexer.archive import named_digests
from chain.models import Act, ActState, EventDigest
from chain.models.bulk import batches, insert_rows, rows_in
from chain.support.moments import is_past
from records.holdings import ERASED, ERASING, KEPT, bring_back, cid_of, send_away
from records.models import Blob, Envelope, EnvelopeList, Fetch, Holding, Version
from records.storage import Store

logger = logging.getLogger(__name__)

SEND_AGAIN = "send-again"
"""The errand of an act that was refused, and that its author may send again."""
STALE_AFTER = timedelta(hours=1)  # an erasing that takes longer has died: a store answers or fails before
_UNSETTLED = (ActState.FAILED, ActState.RETURNED)


def named(digests: Collection[str]) -> set[str]:
    """Return those that a version, an event, an act that may still count, a list or an envelope names."""
    wanted = set(digests)
    if not wanted:
        return set()
    names = {row.pk for row in rows_in(EventDigest.objects.all(), "pk", wanted)}
    for field in ("content", "description", "secret"):
        names |= {getattr(row, field) for row in rows_in(Version.objects.only(field), field, wanted)}
    names |= {row.digest for row in rows_in(EnvelopeList.objects.only("digest"), "digest", wanted)}
    usable = Envelope.objects.filter(deleted_at=None).only("digest")
    names |= {row.digest for row in rows_in(usable, "digest", wanted)}
    return names | (wanted & _named_by_acts())


def give_up_contents(
    holdings: Iterable[Holding], *, named_too: Callable[[list[Holding]], set[str]] | None = None
) -> set[str]:
    """Give up contents that nothing names, nor `named_too` counts as named; return their digests.

    In one transaction with a last look at all who may name them. One that was put or named since its row was
    read stays.
    """
    with transaction.atomic():
        locked = [row for row in holdings if row.record and _lock(row)]
        digests = {row.pk for row in locked}
        free = digests - named(digests) - (named_too(locked) if named_too is not None else set())
        for digest in free:
            _give_up(digest)
        return free


def give_up_envelopes(digests: Iterable[str]) -> set[str]:
    """Give up envelopes whose grants have ended; return their digests. In the caller's transaction.

    Their bytes in SQL are erased at once, those in the store as soon as it answers. Those that only the store
    has (the database is older) get a row, which asks for that.
    """
    own = _own_envelopes(digests)
    lacking = own - {row.pk for row in rows_in(Blob.objects.only("pk"), "pk", own)}
    insert_rows([Blob(digest=digest, state=Blob.State.DELETING) for digest in lacking], unique=("digest",))
    blobs = Blob.objects.exclude(state=Blob.State.DELETED)
    for some in batches(own):  # who keeps the same bytes meanwhile waits for these rows
        blobs.filter(pk__in=some).update(state=Blob.State.DELETING)
    free = own - named(own)
    for some in batches(own - free):
        blobs.filter(pk__in=some, data__isnull=False).update(state=Blob.State.NEW)
    for some in batches(free):
        blobs.filter(pk__in=some).update(data=None)
    return free


def erase_envelope(files: Store, digest: str) -> bool | None:
    """Erase a given up envelope from the store: False while another process does it, None where it stays.

    It stays where something names it, and in a shared store where this portal has not put it. Raises
    StoreUnavailable.
    """
    with transaction.atomic():
        if not is_own(files, digest) or digest not in give_up_envelopes([digest]):
            return None
        _give_up(digest)
    return erase_given_up(files, digest)


def is_own(files: Store, digest: str) -> bool:
    """Tell whether what a store has under a digest is this portal's: it put it, or nobody else could.

    What another portal had put on the same node before it was fetched is that portal's.
    """
    if not files.shared:
        return True
    others = Fetch.objects.filter(pk=digest, pinned_before=True)
    return Holding.objects.filter(pk=digest).exists() and not others.exists()


def erase_given_up(files: Store, digest: str) -> bool:
    """Erase the bytes from the store, if they were given up and nobody else does it now.

    Another portal's stay on a node that it shares. From the further nodes they go by themselves. Raises
    StoreUnavailable.
    """
    now = timezone.now()
    mine = Holding.objects.filter(is_past("claimed_at", STALE_AFTER), pk=digest, state=ERASING)
    if not mine.update(claimed_at=now):
        return False
    holding = Holding.objects.get(pk=digest)
    claimed = Holding.objects.filter(pk=digest, state=ERASING, claimed_at=now)
    if named({digest}):
        _keep_after_all(holding)
        return False
    try:
        if is_own(files, digest):
            files.unpin(cid_of(holding))
    except BaseException:
        claimed.update(claimed_at=None)
        raise
    with transaction.atomic():
        done = claimed.update(state=ERASED, claimed_at=None)
        send_away(digest, now)
    return bool(done)


def _give_up(digest: str) -> None:
    """From now on these bytes are to be erased, here and on every node; in the caller's transaction."""
    Holding.objects.get_or_create(pk=digest)
    standing = Holding.objects.filter(pk=digest).exclude(state=ERASING)
    standing.update(state=ERASING, unnamed_since=None, lost_since=None)
    send_away(digest, timezone.now())


def _keep_after_all(holding: Holding) -> None:
    """Somebody came to name it after it was given up, and its bytes are still there."""
    logger.warning("%s was given up, and is named now: it stays", holding)
    with transaction.atomic():
        Holding.objects.filter(pk=holding.pk, state=ERASING).update(state=KEPT, claimed_at=None)
        bring_back(holding.pk, timezone.now())


def _own_envelopes(digests: Iterable[str]) -> set[str]:
    rows = rows_in(Envelope.objects.filter(verified=True).only("digest"), "digest", set(digests))
    return {row.digest for row in rows}


def _lock(row: Holding) -> bool:
    """Lock a content that is as it was read, and return whether it is. Others who would name it wait."""
    same = Holding.objects.filter(pk=row.pk, state=KEPT, unnamed_since=row.unnamed_since)
    return bool(same.update(lost_since=row.lost_since))


def _named_by_acts() -> set[str]:
    """Digests in acts that the chain may still take, or that their authors may send again."""
    again = Errand.objects.filter(kind=SEND_AGAIN, state=Errand.State.OPEN).values("subject")
    names: set[str] = set()
    for acts in (Act.objects.waiting(), Act.objects.filter(state__in=_UNSETTLED, digest__in=again)):
        for fields in acts.values_list("fields", flat=True).iterator():
            names |= named_digests(fields)
    return names
