"""The list of what this portal has put into the store: noted before it is kept, held by whoever names it.

The row is where putting, naming and erasing meet. To name a content and to give it up both change the row,
each in the transaction that it belongs to. So one of the two waits for the other, and then sees it. Which
files may be erased at all is decided in records.erasing.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from records.errors import Conflict
from records.models import Holding, Replica
from records.storage import Cid, Store, Stored
from records.storage.errors import StoreUnavailable

logger = logging.getLogger(__name__)

KEPT, ERASING, ERASED = Holding.State.KEPT, Holding.State.ERASING, Holding.State.ERASED


def cid_of(holding: Holding) -> Cid:
    """Return the CID under which its bytes are found."""
    return Cid.from_digest(holding.digest, dag_pb=holding.dag_pb)


def put_held(files: Store, stream: Iterable[bytes], *, record: str = "") -> Stored:
    """Put bytes into the store, noted first: a content of this record, else a small ciphertext.

    What is being erased at this moment is refused (StoreUnavailable), and may be put again later.
    """
    stored = files.put(stream, before=partial(_note, record=record))
    _end_if_given_up(stored)
    return stored


def pin_held(files: Store, stored: Stored, *, record: str = "") -> None:
    """Keep bytes that the store's node has got from elsewhere. Noted first, as what is put.

    Raises ContentNotFound, StoreUnavailable.
    """
    _note(stored, record=record)
    files.pin(stored.cid)
    Holding.objects.filter(pk=stored.cid.hex, state=KEPT).update(lost_since=None)
    _end_if_given_up(stored)


def hold(digest: str) -> None:
    """Name a content, in the caller's transaction: it is not given up any more.

    Nothing is asked of what this portal has never put. Raises Conflict for what it has given up already.
    """
    here = Holding.objects.filter(pk=digest)
    if not here.filter(state=KEPT).update(unnamed_since=None) and here.exists():
        raise Conflict("The file was erased in the meantime. Send it again.")


def note_lost(digest: str) -> None:
    """The store does not have it, or has it damaged: it is to get it again from another node."""
    here = Holding.objects.filter(pk=digest, state=KEPT, lost_since=None)
    if here.update(lost_since=timezone.now()):
        logger.error("the store has lost or damaged %s", digest)


def send_away(digest: str, now: datetime) -> None:
    """Have a given up content leave the further nodes, too."""
    there = Replica.objects.filter(holding=digest).exclude(state=Replica.State.LEAVING)
    there.update(state=Replica.State.LEAVING, since=now, due_at=now, tries=0, error="")


def bring_back(digest: str, now: datetime) -> None:
    """Have a content put on the further nodes again that was to leave them."""
    back = Replica.objects.filter(holding=digest, state=Replica.State.LEAVING)
    back.update(state=Replica.State.WANTED, since=now, due_at=now, tries=0, error="")


def _end_if_given_up(stored: Stored) -> None:
    given_up = Holding.objects.filter(pk=stored.cid.hex).exclude(state=KEPT)
    if given_up.exists():  # whoever erased it did so too early
        given_up.update(state=ERASING, claimed_at=None)
        raise StoreUnavailable(f"{stored.cid} was given up while it was put")


def _note(stored: Stored, *, record: str) -> None:
    digest, now = stored.cid.hex, timezone.now()
    given = {"dag_pb": stored.cid.dag_pb, "size": stored.size, "record": record}
    with suppress(IntegrityError), transaction.atomic():
        Holding.objects.create(pk=digest, **given)
        return
    with transaction.atomic():  # it is here from before
        free = Holding.objects.filter(pk=digest).exclude(state=ERASING)
        if not free.update(state=KEPT, put_at=now, unnamed_since=None, size=stored.size):
            raise StoreUnavailable(f"{stored.cid} is being erased")
        if stored.cid.dag_pb:  # somebody may have named its root as a single block
            Holding.objects.filter(pk=digest, dag_pb=False).update(dag_pb=True, record=record)
        bring_back(digest, now)
