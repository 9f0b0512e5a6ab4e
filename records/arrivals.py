"""What is to come from other portals: noted where an event names it or a reader misses it.

A worker fetches it. No page asks another portal for bytes. A page reads what is here, and says of the rest
that it has not arrived.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from chain.models.bulk import batches, insert_rows, rows_in
from chain.support.wakeup import Wakeup
from records.errors import NotArrived, RecordDamaged, RecordsError
from records.holdings import KEPT
from records.models import Blob, Fetch, Holding
from records.storage import Cid

WANTED, HERE, REFUSED = Fetch.State.WANTED, Fetch.State.HERE, Fetch.State.REFUSED
OPENED_APART = timedelta(seconds=30)  # a reader who asks again and again brings no further try
VAIN_TRIES = 3  # after which nobody is told that a file comes soon
LARGE = "It is fetched when somebody opens it."
DAMAGED = "It is no file as the format has it."
NO_ROOM = "There is no room for it."
NOT_YET = "The file of this record has not arrived here yet. It is being fetched: try again in a minute."
NOT_NOW = (
    "The file of this record cannot be fetched now: the portal that keeps it does not answer. "
    "It is tried again by itself."
)
NOT_TAKEN = "There is no room for the file of this record here. Those who run this portal have to make room."
NO_FILE = "The file of this record is damaged. Its author has to send it again."
_FETCHING = Wakeup("records.tasks.fetch_files")


@dataclass(frozen=True)
class WantedFile:
    """A file as an event names it: the patient it is about, and who signed the act."""

    digest: str
    kind: Fetch.Kind
    patient: str
    author: str
    record: str = ""  # a content's
    dag_pb: bool = False

    @property
    def cid(self) -> Cid:
        """Its address in every store."""
        return Cid.from_digest(self.digest, dag_pb=self.dag_pb)


def has_peers() -> bool:
    """Whether a node of this portal may know others."""
    return bool(settings.IPFS_API_URL or settings.IPFS_PIN_API_URLS)


def want_files(files: Iterable[WantedFile]) -> None:
    """Note files that events name, those that never were here; in the caller's transaction.

    Anybody may name every digest, also as what it is not. A tree counts for more than a single block: with
    its blocks everything is here that a digest can name. The rest is mended when somebody opens the file.
    """
    wanted = _by_digest(files) if has_peers() else {}
    held = {row.pk: row.dag_pb for row in rows_in(Holding.objects.only("pk", "dag_pb"), "pk", wanted)}
    held |= {row.pk: False for row in rows_in(Blob.objects.only("pk"), "pk", set(wanted) - set(held))}
    new = [file for digest, file in wanted.items() if digest not in held or file.dag_pb > held[digest]]
    if not new:
        return
    insert_rows([_row(file) for file in new], unique=("digest",))
    now = timezone.now()
    for part in batches(file.digest for file in new):  # its patient may have agreed to it meanwhile
        large = Fetch.objects.filter(pk__in=part, state=REFUSED, error=LARGE)
        large.update(state=WANTED, due_at=now)
    trees = {file.digest: file for file in new if file.dag_pb}
    for row in rows_in(Fetch.objects.filter(dag_pb=False), "pk", trees):
        _name_anew(row, trees[row.pk], now)
    transaction.on_commit(nudge_fetching)


def await_files(files: Collection[WantedFile]) -> dict[str, RecordsError]:
    """Return, of files that a reader missed, what is to be said of those that may come; note them.

    The others are lost: this portal had them, or there is nobody to ask.
    """
    wanted = _by_digest(files) if has_peers() else {}
    rows = {row.pk: row for row in rows_in(Fetch.objects.all(), "pk", wanted)}
    held = {row.pk: row.state for row in rows_in(Holding.objects.only("pk", "state"), "pk", wanted)}
    missing = [file for digest, file in wanted.items() if _may_come(rows.get(digest), held.get(digest))]
    with suppress(DatabaseError), transaction.atomic():  # a disk that is full fails no reading
        _note_opened(missing, rows)
    return {file.digest: _said(rows.get(file.digest)) for file in missing}


def begun_fetches(files: Iterable[WantedFile]) -> dict[str, RecordsError]:
    """Return what is to be said of files that a worker has looked for and that are not here, or not whole."""
    wanted = _by_digest(files)
    begun = Fetch.objects.exclude(state=HERE).exclude(claimed_at=None, tries=0, error="")
    rows = rows_in(begun, "pk", wanted)
    return {row.pk: _said(row) for row in rows if not _differs(row, wanted[row.pk])}


def nudge_fetching() -> None:
    """Ask a worker to fetch; it looks every minute anyway."""
    _FETCHING.give()


def _row(file: WantedFile) -> Fetch:
    given = {name: value for name, value in vars(file).items() if name != "digest"}
    return Fetch(pk=file.digest, **given)


def _by_digest(files: Iterable[WantedFile]) -> dict[str, WantedFile]:
    return {file.digest: file for file in sorted(files, key=lambda file: file.dag_pb)}


def _differs(row: Fetch, file: WantedFile) -> bool:
    """Whether somebody else has named the same digest, as another file."""
    noted = (row.kind, row.patient, row.author, row.record, row.dag_pb)
    return noted != (file.kind, file.patient, file.author, file.record, file.dag_pb)


def _name_anew(row: Fetch, file: WantedFile, now: datetime, *, opened: bool = False) -> int:
    """Fetch a digest as another file than it was noted as, unless it is fetched at this moment."""
    given = {name: value for name, value in vars(file).items() if name != "digest"}
    given |= {"state": WANTED, "since": now, "due_at": now, "tries": 0, "error": "", "size": None}
    if opened:
        given["opened_at"] = now
    return Fetch.objects.filter(pk=row.pk, claimed_at=None).update(**given)


def _may_come(row: Fetch | None, held: str | None) -> bool:
    if held is None:
        return True
    return held == KEPT and (row is None or row.state == HERE or row.tries < VAIN_TRIES)


def _note_opened(files: list[WantedFile], rows: dict[str, Fetch]) -> None:
    """Whoever opens a file brings the next try forward."""
    now = timezone.now()
    new = [_row(file) for file in files if file.digest not in rows]
    for row in new:
        row.opened_at = now
    insert_rows(new, unique=("digest",))
    known = [(rows[file.digest], file) for file in files if file.digest in rows]
    others = [(row, file) for row, file in known if _differs(row, file) and _is_long_ago(row, now)]
    for row, file in others:
        _name_anew(row, file, now, opened=True)
    again = [row.pk for row, file in known if not _differs(row, file) and _comes_forward(row, now)]
    for part in batches(again):
        idle = Fetch.objects.filter(pk__in=part, claimed_at=None)
        idle.update(state=WANTED, opened_at=now, due_at=now)
    if new or others or again:
        transaction.on_commit(nudge_fetching)


def _comes_forward(row: Fetch, now: datetime) -> bool:
    if row.state == REFUSED:
        return row.error == LARGE
    return row.state == HERE or _is_long_ago(row, now)


def _is_long_ago(row: Fetch, now: datetime) -> bool:
    return row.opened_at is None or not now - OPENED_APART < row.opened_at <= now


def _said(row: Fetch | None) -> RecordsError:
    if row is None or row.state == HERE or row.error == LARGE:
        return NotArrived(NOT_YET)
    if row.state == REFUSED:
        return RecordDamaged(NO_FILE) if row.error == DAMAGED else NotArrived(NOT_TAKEN)
    return NotArrived(NOT_YET if row.tries < VAIN_TRIES else NOT_NOW)
