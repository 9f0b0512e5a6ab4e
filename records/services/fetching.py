"""Bringing here what other portals keep: a worker's rounds, a few files at a time and in turns.

An author's files come one after the other. The first that does not come ends the author's turn: so one portal
that is absent holds up nobody else's files. What came is checked, pinned and counted like what was put here.
"""

import logging
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.core.cache import cache as shared_cache
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from accounts.directory import known_accounts
from records.arrivals import DAMAGED, HERE, NO_ROOM, REFUSED, WANTED, WantedFile, has_peers, want_files
from records.chain_words import word
from records.content import DESCRIPTION_MAX, copy_blob, store
from records.crypto.envelopes import EnvelopeList
from records.crypto.errors import BadList
from records.crypto.folders import NAME_SEALED_BYTES
from records.holdings import pin_held, put_held
from records.models import Fetch, Holding, Version
from records.services.limits import LARGEST_FILE, room_for_fetch
from records.services.wanting import compare_files
from records.storage import Cid, Store, Stored
from records.storage.errors import (
    ContentCorrupt,
    ContentTooLarge,
    ContentUnfinished,
    PeersSilent,
    StorageError,
    StoreUnavailable,
)
from records.storage.peers import Peers

logger = logging.getLogger(__name__)

AT_A_TIME = 4
OF_ONE_AUTHOR = 50  # in a round
ROUND = 45.0  # seconds, after which a round begins no further file
FIRST_WAIT, LATER_WAIT = 10.0, 30.0  # seconds for a block, of a file tried first and of one tried before
CONTENT_TIME = 60.0  # seconds for one file in one round; what came of it by then stays
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
LAST = timedelta(seconds=1)
REFUSED_FOR = timedelta(hours=6)
STALE_AFTER = timedelta(minutes=5)  # a worker that takes longer has died
COMPARED_EVERY = 3600  # seconds


def fetch_files() -> int:
    """One round; returns how many files came."""
    if not has_peers():
        return 0
    if shared_cache.add("compare-files", 1, COMPARED_EVERY):
        compare_files()
    return _Round().run()


def fetch_content(cid: Cid) -> bool:
    """Bring one content to the store now, for an operator who waits; whether it came.

    Raises StoreUnavailable.
    """
    try:
        size, source = _fetch(cid, LARGEST_FILE, LATER_WAIT)
        version = Version.objects.filter(content=cid.hex).first()
        _keep(cid, size, source, record=version.record_id if version is not None else "")
    except (PeersSilent, ContentUnfinished, ContentCorrupt, ContentTooLarge):
        return False
    return True


@dataclass(frozen=True)
class _Claim:
    """A file that this round fetches: at most so many bytes, and what is noted of a larger one."""

    row: Fetch
    most: int
    why_no_more: str


class _Round:
    """The authors whose turn it is, each with the files that are due."""

    def __init__(self) -> None:
        self._until = time.monotonic() + ROUND
        self._turns = deque(_authors())
        self._due: dict[str, deque[Fetch]] = {}
        self._present: set[str] = set()  # authors of whom something came
        self._running: dict[Future[tuple[int, Store]], _Claim] = {}

    def run(self) -> int:
        done = 0
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            self._begin(pool)
            while self._running:
                for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                    done += self._settle(self._running.pop(future), future)
                self._begin(pool)
        return done

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        while self._turns and len(self._running) < AT_A_TIME and time.monotonic() < self._until:
            author = self._turns.popleft()
            if author not in self._due:
                self._due[author] = _due_of(author)
            claim = _claim_next(self._due[author])
            if claim is not None:
                seconds = LATER_WAIT if claim.row.tries else FIRST_WAIT
                self._running[pool.submit(_fetch, _cid(claim.row), claim.most, seconds)] = claim

    def _settle(self, claim: _Claim, future: Future[tuple[int, Store]]) -> bool:
        """Keep what came, and note what did not; the author has another turn unless nobody answered."""
        row, came = claim.row, False
        try:
            size, source = future.result()
            _take(row, size, source)
            came = True
            self._present.add(row.author)
        except ContentTooLarge as error:
            _refuse(row, claim.why_no_more, size=error.size)
        except ContentCorrupt as error:
            logger.warning("%s: %s", row, error)
            _refuse(row, DAMAGED)
        except ContentUnfinished:
            _go_on_later(row)
            return False
        except StorageError as error:
            _put_off(row, error, alone=row.author in self._present)
            if not isinstance(error, PeersSilent):
                self._turns.clear()  # the own node fails: others would fare no better
            return False
        except Exception:  # whatever somebody's bytes brought about: it ends no round
            logger.exception("%s", row)
            _put_off(row, StoreUnavailable("unexpected"), alone=True)
        self._turns.append(row.author)
        return came


def _authors() -> list[str]:
    """The authors of files that are due: first those of new files, then those whose files waited longest."""
    files = _due().order_by().values("author").annotate(fewest=Min("tries"), first=Min("due_at"))
    rows = sorted(files, key=lambda row: (row["fewest"] > 0, row["first"]))
    return [row["author"] for row in rows]


def _due_of(author: str) -> deque[Fetch]:
    return deque(_due().filter(author=author).order_by("tries", "due_at", "pk")[:OF_ONE_AUTHOR])


def _due() -> QuerySet[Fetch]:
    """Files to fetch now. A time further ahead than any pause was set by a clock that has stepped back."""
    now = timezone.now()
    due = Q(due_at__lte=now) | Q(due_at__gt=now + REFUSED_FOR)
    due |= Q(state=WANTED, due_at__gt=now + LONGEST_PAUSE + LAST)
    return Fetch.objects.filter(_free(), due, Q(state=WANTED) | Q(state=REFUSED, error=NO_ROOM))


def _free() -> Q:
    """Those that nobody fetches now."""
    now = timezone.now()
    return Q(claimed_at=None) | Q(claimed_at__lt=now - STALE_AFTER) | Q(claimed_at__gt=now + STALE_AFTER)


def _claim_next(due: deque[Fetch]) -> _Claim | None:
    """The next file of an author that nobody else fetches now."""
    while due:
        row = due.popleft()
        free = Fetch.objects.filter(_free(), pk=row.pk).exclude(state=HERE)
        if not free.update(claimed_at=timezone.now()):
            continue
        most, why = room_for_fetch(row)
        if most > 0:
            return _Claim(row, most, why)
        _refuse(row, why)
    return None


def _fetch(cid: Cid, most: int, seconds: float) -> tuple[int, Store]:
    """Bring a file to a node of this portal; its size, and the store that has it. In a thread, without SQL.

    Raises PeersSilent, ContentUnfinished, ContentTooLarge, ContentCorrupt, StoreUnavailable.
    """
    until, silent = time.monotonic() + CONTENT_TIME, PeersSilent("no node")
    for peers in _sources():
        try:
            return peers.fetch(cid, most=most, wait=seconds, until=until), peers.files
        except PeersSilent as error:
            silent = error
    raise silent


def _sources() -> list[Peers]:
    """The store's node and its peers; where the store is a folder, the further nodes and theirs."""
    urls = [settings.IPFS_API_URL] if settings.IPFS_API_URL else settings.IPFS_PIN_API_URLS
    return [_peers(url) for url in urls]


@cache
def _peers(url: str) -> Peers:
    return Peers(url)


def _take(row: Fetch, size: int, source: Store) -> None:
    """Keep a file that came, and do what its kind asks for. Raises ContentCorrupt, StorageError."""
    if store().keeps(_cid(row)) and not Holding.objects.filter(pk=row.pk).exists():
        Fetch.objects.filter(pk=row.pk).update(pinned_before=True)
    _keep(_cid(row), size, source, record=row.record)
    data = b""
    if row.kind != Fetch.Kind.CONTENT:
        with source.open(_cid(row)) as blob:
            data = blob.read_at(0, size)
    now = timezone.now()
    with transaction.atomic():
        if row.kind == Fetch.Kind.LIST:
            want_files(_envelopes_for_us(row, data))
        elif _belongs_in_sql(row.kind, size):
            copy_blob(row.pk, data)
        Fetch.objects.filter(pk=row.pk).update(
            state=HERE, since=now, size=size, tries=0, error="", claimed_at=None
        )
        waiting = Fetch.objects.filter(author=row.author, state=WANTED, tries__gt=0, claimed_at=None)
        waiting.update(due_at=now)  # its portal answers again


def _belongs_in_sql(kind: str, size: int) -> bool:
    """Whether lists read it: a description, a folder's name. An envelope is copied once it opens."""
    if kind == Fetch.Kind.NAME:
        return size == NAME_SEALED_BYTES
    return kind == Fetch.Kind.DESCRIPTION and size <= DESCRIPTION_MAX


def _keep(cid: Cid, size: int, source: Store, *, record: str) -> None:
    """Pin a file in the store, with its holding."""
    if settings.IPFS_API_URL:  # the blocks are on the store's node
        pin_held(store(), Stored(cid, size), record=record)
        return
    with source.open(cid) as blob:
        if put_held(store(), blob, record=record).cid != cid:
            raise ContentCorrupt(f"{cid} is no file as the profile has it")


def _envelopes_for_us(row: Fetch, data: bytes) -> list[WantedFile]:
    """Of a list, the envelopes for accounts of this portal."""
    try:
        entries = EnvelopeList.from_bytes(data).entries
    except BadList:
        return []
    ours = known_accounts(entry.recipient for entry in entries)
    mine = [word(entry.envelope) for entry in entries if entry.recipient in ours]
    return [WantedFile(digest, Fetch.Kind.ENVELOPE, row.patient, row.author) for digest in mine]


def _put_off(row: Fetch, error: StorageError, *, alone: bool) -> None:
    """All that is due of its author waits: the same portal keeps it. This file comes after the others.

    It waits `alone` where the portal has just given another.
    """
    logger.info("%s: %s: %s", row, type(error).__name__, error)
    now = timezone.now()
    pause = min(FIRST_PAUSE * 2 ** min(row.tries, 10), LONGEST_PAUSE)
    if isinstance(error, PeersSilent) and not alone:
        same = Fetch.objects.filter(author=row.author, state=WANTED, due_at__lte=now, claimed_at=None)
        same.exclude(pk=row.pk).update(tries=F("tries") + 1, due_at=now + pause)
    Fetch.objects.filter(pk=row.pk).update(
        tries=F("tries") + 1, due_at=now + pause + LAST, error=str(error)[:200], claimed_at=None
    )


def _go_on_later(row: Fetch) -> None:
    """Much of a large file has come. The others that are due come first."""
    Fetch.objects.filter(pk=row.pk).update(due_at=timezone.now(), tries=1, error="", claimed_at=None)


def _refuse(row: Fetch, why: str, *, size: int | None = None) -> None:
    now = timezone.now()
    Fetch.objects.filter(pk=row.pk).update(
        state=REFUSED, since=now, error=why, size=size, due_at=now + REFUSED_FOR, claimed_at=None
    )


def _cid(row: Fetch) -> Cid:
    return Cid.from_digest(row.pk, dag_pb=row.dag_pb)
