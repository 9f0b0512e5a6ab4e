"""Anchoring: the root of the view log on the chain, so that nobody can change a row of it unseen.

What is promised:
- Where a row that an anchor covers is deleted, changed, moved, or joined by another, the root is no longer
  the one on the chain: `manage.py reconcile` says so, and so can anybody who is given the rows.
- Each row is numbered once, in the transaction that signs an anchor over it and over all rows of the log
  before it. Within ANCHOR_MINUTES, while the chain is reachable.
- A log's anchors are all of the same rows. Where the chain has one that was not signed here (this database is
  an older one, restored), or the portal has another key, the log ends at its last anchor before that. The
  next log's id names that anchor, and it begins with the rows that this one leaves out.

What is not: that a row which no anchor covers yet is still there, or that what it says ever happened.
"""

import logging
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from chain.acts.messages import prepare_act, sign_act
from chain.contract.slots import slot_log
from chain.errors import ActConflict, MissingKey
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import anchor_key
from chain.models import Act, ActState
from chain.outbox.submit import last_number, resubmit_act, submit_act
from chain.status import lag
from records.chain_words import raw, word
from records.crypto.merkle import EMPTY_ROOT
from records.crypto.view_log import next_log_id
from records.models import AnchoredLog, ViewLog

logger = logging.getLogger(__name__)

AT_ONCE = 1_000  # half a second, in which nobody else can write to SQLite


def anchor_views() -> Act | None:
    """Sign an anchor over the rows that wait, if it is time. The act. Twice or at once is the same as once.

    One anchor waits for the chain at a time, and none is signed before all that the chain says is known:
    after a restore the indexer comes first. Without the anchor key nothing happens.
    """
    try:
        key = anchor_key()
    except MissingKey:
        return None
    if not (_is_due() and lag.knows_chain()):
        return None
    try:
        with transaction.atomic():
            return _anchor(key)
    except ActConflict:  # the chain has a greater size, not deep enough yet
        return None


def _anchor(key: bytes) -> Act | None:
    """The act, in the caller's transaction, which is alone at this from here on."""
    author = address_of_key(key)
    log = _lock(author)
    if Act.objects.waiting().of_kind("AnchorLog").exists() or not _is_due():
        return None
    while log.author != author or log.anchors.foreign().exists():
        log = _open_next(log, author)
    _extend(log)
    fields = {"author": author, "log": log.log, "size": log.size, "root": log.frontier.root}
    act = submit_act(sign_act(prepare_act("AnchorLog", **fields), key))
    return act if act.state == ActState.WAITING else resubmit_act(act)


def _is_due() -> bool:
    """Return whether a row waits for long enough: for its number, or for an anchor since one was refused."""
    if not settings.ANCHOR_MINUTES:
        return False
    before = timezone.now() - timedelta(minutes=settings.ANCHOR_MINUTES)
    if ViewLog.objects.unnumbered().filter(at__lte=before).exists():
        return True
    log = AnchoredLog.objects.order_by("number").last()
    if log is None or log.anchored_at is None or log.anchored_at > before:
        return False
    covered = log.start + last_number(slot_log(log.author, log.log))
    return ViewLog.objects.filter(position__gte=covered).exists()


def _lock(author: str) -> AnchoredLog:
    """The log that is extended, nobody else's until the transaction ends. The first one is made here."""
    made = {"log": word(secrets.token_bytes(32)), "author": author}
    first, _ = AnchoredLog.objects.get_or_create(number=1, defaults=made)
    AnchoredLog.objects.select_for_update(no_key=True).get(pk=first.pk)
    return AnchoredLog.objects.latest("number")


def _open_next(log: AnchoredLog, author: str) -> AnchoredLog:
    """The log that goes on after this one's last anchor that holds. Its id names that."""
    fork = log.anchors.foreign().aggregate(size=Min("size"))["size"]
    holding = log.anchors.ours() if fork is None else log.anchors.ours().filter(size__lt=fork)
    last = holding.last()
    size, root = (last.size, raw(last.root)) if last else (0, EMPTY_ROOT)
    following, start = log.number + 1, log.start + size
    logger.warning("The view log goes on as log %d from row %d.", following, start + 1)
    return AnchoredLog.objects.create(
        number=following, log=word(next_log_id(raw(log.log), size, root)), author=author, start=start
    )


def _extend(log: AnchoredLog) -> None:
    """Take the next rows into the tree: those a log before has numbered, then new ones, numbered here."""
    frontier = log.frontier
    rows = list(ViewLog.objects.filter(position__gte=log.end).order_by("position")[:AT_ONCE])
    new = list(ViewLog.objects.unnumbered()[: AT_ONCE - len(rows)])
    for position, row in enumerate(new, start=log.end + len(rows)):
        row.position = position
    frontier.extend(row.entry for row in rows + new)
    ViewLog.objects.filter(position=None).bulk_update(new, ["position"])
    log.size, log.peaks, log.anchored_at = frontier.size, frontier.to_bytes(), timezone.now()
    log.save(update_fields=["size", "peaks", "anchored_at"])
