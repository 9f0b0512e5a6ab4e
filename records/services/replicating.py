"""Further copies: what the store keeps is put on every node of IPFS_PIN_API_URLS, and stays there.

Each round takes a bounded number of rows. A node gets the bytes streamed to it, from the store or from
another node, and makes the CID that was asked for: nodes need not know each other. What was given up is
erased on each node, on one that is down as soon as it is back.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from threading import Lock

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from chain.models.bulk import insert_rows
from chain.support.moments import is_past
from records.content import failing_nodes, open_stored, pin_nodes, store
from records.holdings import KEPT, cid_of, note_lost
from records.models import Holding, PinNode, Replica
from records.storage import Blob, Store
from records.storage.errors import ContentCorrupt, ContentNotFound, StorageError, StoreFull, StoreUnavailable

logger = logging.getLogger(__name__)

NEW_AT_ONCE = 1000  # rows
COPIED_AT_ONCE = 50
VERIFIED_AT_ONCE = 200
ROUND = timedelta(seconds=45)  # after it a round begins no further copy
STALE_AFTER = timedelta(hours=1)
VERIFIED_EVERY = timedelta(days=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)

WANTED, HELD, LEAVING = Replica.State.WANTED, Replica.State.HELD, Replica.State.LEAVING


def replicate() -> int:
    """One round on every node; returns how many copies were made, given back or erased.

    A process is at a node once at a time: one that hangs keeps one thread waiting, and the others at work.
    """
    until, done = timezone.now() + ROUND, 0
    for address, files in _in_turn():
        if not _AT_WORK[address].acquire(blocking=False):
            continue
        try:
            answers = _answers(address, files)
            _list_what_is_new(address)
            if answers:
                done += _Round(address, files).run()
        finally:
            _AT_WORK[address].release()
        if timezone.now() > until:
            break
    return done + _give_back()


def _in_turn() -> list[tuple[str, Store]]:
    """The nodes, those first that were asked longest ago: who takes a whole round is the last in the next."""
    asked = {node.pk: node.checked_at for node in PinNode.objects.all() if node.checked_at is not None}
    nodes = list(pin_nodes().items())
    new = [node for node in nodes if node[0] not in asked]
    return new + sorted((node for node in nodes if node[0] in asked), key=lambda node: asked[node[0]])


_AT_WORK: defaultdict[str, Lock] = defaultdict(Lock)

_Work = Callable[[Replica, QuerySet[Replica]], int]


class _Round:
    """A round's work on one node that answers."""

    def __init__(self, address: str, files: Store) -> None:
        self._files = files
        self._rows = Replica.objects.filter(node=address).select_related("holding")
        self._until = timezone.now() + ROUND

    def run(self) -> int:
        """Erase, verify, copy: in this order, so that room is made first, and what was lost is put back."""
        erased = self._each(LEAVING, self._erase)
        self._verify()
        return erased + self._each(WANTED, self._copy)

    def _due(self, state: str) -> QuerySet[Replica]:
        rows = self._rows.filter(is_past("due_at", horizon=VERIFIED_EVERY), state=state).order_by("due_at")
        return rows.filter(holding__state=KEPT) if state == WANTED else rows

    def _each(self, state: str, work: _Work) -> int:
        done = 0
        for row in self._due(state)[:COPIED_AT_ONCE]:
            now = timezone.now()
            if now > self._until:
                break
            free = is_past("claimed_at", STALE_AFTER)
            if not Replica.objects.filter(free, pk=row.pk, state=state).update(claimed_at=now):
                continue
            mine = Replica.objects.filter(pk=row.pk, claimed_at=now)
            try:
                done += work(row, mine)
            except StorageError as error:
                _put_off(row, mine, error)
                if isinstance(error, StoreFull | StoreUnavailable):
                    break  # others of this round would fare no better
            finally:
                mine.update(claimed_at=None)
        return done

    def _copy(self, row: Replica, mine: QuerySet[Replica]) -> int:
        with open_stored(cid_of(row.holding)) as blob:
            _put(self._files, blob)
        now = timezone.now()
        kept = mine.filter(state=WANTED).update(
            state=HELD, since=now, due_at=now + VERIFIED_EVERY, tries=0, error="", claimed_at=None
        )
        if not Replica.objects.filter(pk=row.pk).exclude(state=LEAVING).exists():
            self._files.unpin(cid_of(row.holding))  # given up meanwhile, perhaps erased too early
        return kept

    def _erase(self, row: Replica, mine: QuerySet[Replica]) -> int:
        if not mine.filter(state=LEAVING).exclude(holding__state=KEPT).exists():
            return 0  # named meanwhile: it stays
        self._files.unpin(cid_of(row.holding))
        return mine.filter(state=LEAVING).delete()[0]

    def _verify(self) -> None:
        """What the node, or the store, does not have any more is put there again."""
        now = timezone.now()
        kept: list[int] = []
        lost: list[int] = []
        for row in self._due(HELD)[:VERIFIED_AT_ONCE]:
            cid = cid_of(row.holding)
            try:
                (kept if self._files.keeps(cid) else lost).append(row.pk)
                if not store().keeps(cid):
                    note_lost(row.holding_id)
            except StorageError as error:
                logger.warning("verifying %s: %s", row, error)
                break
        Replica.objects.filter(pk__in=kept, state=HELD).update(due_at=now + VERIFIED_EVERY)
        Replica.objects.filter(pk__in=lost, state=HELD).update(state=WANTED, since=now, due_at=now)
        if lost:
            logger.warning("%d contents are no longer on a node, and put there again", len(lost))


def _answers(address: str, files: Store) -> bool:
    """Ask a node, and note what it says: one that is down is left alone in this round."""
    now = timezone.now()
    PinNode.objects.get_or_create(pk=address)
    here = PinNode.objects.filter(pk=address)
    try:
        files.check()
    except StorageError as error:
        here.update(checked_at=now, error=words_of(error))
        here.filter(failing_since=None).update(failing_since=now)
        return False
    here.update(checked_at=now, failing_since=None, error="")
    return True


def _list_what_is_new(address: str) -> None:
    there = Replica.objects.filter(node=address)
    there.filter(state=WANTED).exclude(holding__state=KEPT).update(state=LEAVING)
    new = Holding.objects.filter(state=KEPT).exclude(pk__in=there.values("holding")).order_by("put_at")
    digests = new.values_list("pk", flat=True)[:NEW_AT_ONCE]
    with transaction.atomic():
        insert_rows(
            [Replica(holding_id=digest, node_id=address) for digest in digests], unique=("holding", "node")
        )


def _give_back() -> int:
    """Put into the store what it has lost, from a node that has it."""
    done = 0
    failing = failing_nodes()
    nodes = [files for address, files in pin_nodes().items() if address not in failing]
    for holding in Holding.objects.filter(state=KEPT).exclude(lost_since=None)[:COPIED_AT_ONCE]:
        for files in nodes:
            try:
                if not files.has(cid_of(holding)):
                    continue
                with files.open(cid_of(holding)) as blob:
                    _put(store(), blob)
            except StorageError as error:
                logger.warning("content %s is not given back yet: %s", holding, error)
                continue
            done += Holding.objects.filter(pk=holding.pk, state=KEPT).update(lost_since=None)
            break
    return done


def _put(files: Store, blob: Blob) -> None:
    stored = files.put(blob)
    if stored.cid != blob.cid:
        raise ContentCorrupt(f"{stored.cid} came of {blob.cid}")


def _put_off(row: Replica, mine: QuerySet[Replica], error: StorageError) -> None:
    pause = min(FIRST_PAUSE * 2 ** min(row.tries, 10), LONGEST_PAUSE)
    mine.update(tries=row.tries + 1, due_at=timezone.now() + pause, error=words_of(error))
    logger.warning("%s: %s", row, error)


def words_of(error: StorageError) -> str:
    """What went wrong, for an operator."""
    known = {
        StoreFull: "The node is full.",
        ContentNotFound: "The store does not have it.",
        ContentCorrupt: "The store has other bytes than its CID says.",
    }
    silent = any(word in str(error) for word in ("ConnectionError", "Timeout"))
    unreachable = silent or isinstance(error.__cause__, OSError)
    return known.get(type(error)) or ("It does not answer." if unreachable else str(error)[:200])
