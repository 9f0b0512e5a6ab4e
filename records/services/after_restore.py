"""After a restore from a backup: the chain is read, what was accepted since is sent again, people are told.

Each step may be done again, and may be cut off at any moment: what is left is done by the next run.
"""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone

from accounts.errors import AccountsError
from accounts.models import Account, Errand, User
from accounts.notifications import notify
from accounts.services.errands import ErrandCard, add_errand, shows_errand
from chain import incarnation, lag
from chain.abi import ACT_OF_EVENT
from chain.acceptance_log import collect_lost_acts
from chain.acts import PreparedAct, SignedAct
from chain.archive import named_digests
from chain.errors import ActConflict, ActError, ChainError
from chain.models import Act, Event, Incarnation, LostAct
from chain.models.bulk import batches
from chain.outbox import last_number, submit_act
from chain.slots import SERIAL_SLOTS
from records.content import open_stored, read_blob
from records.crypto.envelopes import EnvelopeList
from records.crypto.errors import BadList
from records.errors import RecordsError, StoreDown
from records.models import Upload
from records.services.folder_names import fetch_missing_names
from records.services.list_index import read_lists
from records.services.revocations import end_grant
from records.shapes import RestoredView
from records.storage import Cid
from records.storage.errors import ContentCorrupt, ContentNotFound, StorageError

logger = logging.getLogger(__name__)

Outcome = LostAct.Outcome
AFTER_RESTORE = "after-restore"
TOLD = {
    "NewRecord": ("record saved", "records saved"),
    "ModifyRecord": ("change to a record", "changes to records"),
    "CloseRecord": ("record closed", "records closed"),
    "GrantAccess": ("permission given", "permissions given"),
    "RevokeAccess": ("permission ended", "permissions ended"),
    "GiveUpAccess": ("permission given back", "permissions given back"),
    "RequestAccess": ("request for access", "requests for access"),
    "WithdrawRequest": ("request withdrawn", "requests withdrawn"),
    "DenyAccess": ("request refused", "requests refused"),
    "BlockSender": ("sender blocked or allowed again", "senders blocked or allowed again"),
    "NameFolder": ("folder named", "folders named"),
    "AffiliateDoctor": ("doctor affiliated or no longer so", "doctors affiliated or no longer so"),
    "LeaveInstitution": ("institution left", "institutions left"),
}
"""What people are told of, in their words. Other acts follow from these by themselves."""


def settle_restore(say: Callable[[str], None] = logger.warning) -> bool:
    """Do all that the last restore asks for, once the chain is read. False while it has to wait for that.

    Raises StoreDown.
    """
    collect_lost_acts()
    life = incarnation.unsettled_restore()
    if life is None:
        return True
    if not lag.knows_chain():
        return False
    try:
        for step in (mark_saved_uploads, accept_again, read_names_again, read_lists_again, tell_people):
            say(f"After the restore: {step(life)}.")
    except ChainError as error:
        logger.warning("What the restore asks for waits: %s", error)
        return False
    Incarnation.objects.filter(pk=life.pk).update(settled_at=timezone.now())
    return True


def mark_saved_uploads(life: Incarnation) -> str:
    """Uploads whose record or version is on the chain are done; the others start over when they go on."""
    saved, over = 0, 0
    for row in Upload.objects.exclude(state=Upload.State.DONE).filter(created_at__lt=life.began_at):
        event = Event.objects.filter(
            slot=f"record:{row.record}", number=row.version, author=row.author
        ).first()
        if event is None:
            over += 1
            continue
        saved += Upload.objects.filter(pk=row.pk).update(
            state=Upload.State.DONE,
            act=event.act_digest,
            sealed=b"",
            sealed_parts=b"",
            staged=None,
            claim=None,
        )
    return f"{saved} uploads were saved already, {over} unfinished ones start over"


def accept_again(life: Incarnation) -> str:
    """Accept once more what was accepted and is not on the chain, as far as its files are here."""
    del life
    for row in LostAct.objects.filter(outcome=Outcome.OPEN):
        outcome = _accept_again(row)
        LostAct.objects.filter(pk=row.pk).update(outcome=outcome)
    counts = Counter(LostAct.objects.values_list("outcome", flat=True))
    return (
        f"of what was accepted after the backup, {counts[Outcome.KNOWN]} are on the chain, "
        f"{counts[Outcome.SENT]} are sent again, {counts[Outcome.OVERTAKEN]} were changed since, "
        f"{counts[Outcome.LOST]} are lost, and their authors are told"
    )


def read_names_again(life: Incarnation) -> str:
    """Folder names that were given after the backup come from the store."""
    del life
    return f"{fetch_missing_names()} names of folders were read from the store"


def read_lists_again(life: Incarnation) -> str:
    """Lists of envelopes that acts after the backup name come from the store."""
    del life
    count = 0
    while read := read_lists():
        count += read
    return f"{count} lists of envelopes were read from the store"


def tell_people(life: Incarnation) -> str:
    """Leave each person what changed; a mail for those who have to do something again."""
    since = _newest_moment(life)
    changes = _changes(life)
    told = 0
    accounts = Account.objects.filter(created_at__lt=life.began_at).exclude(user=None)
    for address in accounts.values_list("address", flat=True).iterator(chunk_size=1_000):
        details = {"since": since.isoformat() if since else "", **changes.get(address, {})}
        with transaction.atomic():
            if _leave(address, str(life.number), details):
                told += 1
                if details.get("lost"):
                    notify(address, "waiting")
    return f"{told} people find on their pages what changed"


@shows_errand(AFTER_RESTORE)
def show_restored(errand: Errand) -> ErrandCard:
    """What a restore changed for this account."""
    lost = len(errand.details.get("lost", []))
    if lost:
        text = f"{lost} things that you did have to be" if lost > 1 else "One thing that you did has to be"
        text += " done again."
    else:
        text = "Look what that means for you."
    url = reverse("records:restored", args=[errand.pk])
    return ErrandCard("This portal was restored from a backup", text, url, is_news=True)


def changes_of(errand: Errand) -> RestoredView:
    """What the page of a restore says."""
    details = errand.details
    since = datetime.fromisoformat(details["since"]) if details.get("since") else None
    return RestoredView(
        since=since,
        back=_phrases(details.get("back", {})),
        again=_phrases(details.get("again", {})),
        lost=[(TOLD[kind][0], who, datetime.fromisoformat(at)) for kind, who, at in details.get("lost", [])],
    )


def _accept_again(row: LostAct) -> Outcome:
    act = PreparedAct(row.kind, row.fields)
    if Event.objects.filter(act_digest=row.digest).exists() or Act.objects.filter(digest=row.digest).exists():
        is_record = row.kind in ("NewRecord", "ModifyRecord")
        return Outcome.KNOWN if not is_record or _files_are_here(row.fields) else Outcome.LOST
    slot, number = act.slot
    if last_number(slot) >= number:
        return Outcome.OVERTAKEN if slot.split(":")[0] in SERIAL_SLOTS else Outcome.LOST
    if not _files_are_here(row.fields):
        return Outcome.LOST
    try:
        with transaction.atomic():
            submit_act(SignedAct(act, bytes(row.signature), row.contract_signed))
            if row.kind == "RevokeAccess":
                end_grant(patient=row.author, grantee=row.fields["grantee"], scope=row.fields["scope"])
            elif row.kind == "GiveUpAccess":
                end_grant(patient=row.fields["patient"], grantee=row.author, scope=row.fields["scope"])
    except (ActError, ActConflict, AccountsError, RecordsError) as error:
        logger.warning("%s is not accepted again: %s", row, type(error).__name__)
        return Outcome.LOST
    return Outcome.SENT


def _files_are_here(fields: dict[str, Any]) -> bool:
    """Whether every file that an act names can be read, a list's envelopes too. Raises StoreDown."""
    for digest in named_digests(fields):
        if digest == fields.get("content"):
            if not _is_stored(Cid.from_digest(digest, dag_pb=bool(fields.get("flags", 0) & 1))):
                return False
            continue
        data = read_blob(digest)
        if data is None:
            return False
        try:
            entries = EnvelopeList.from_bytes(data).entries
        except BadList:
            continue  # a description or a name
        if any(read_blob("0x" + entry.envelope.hex()) is None for entry in entries):
            return False
    return True


def _is_stored(cid: Cid) -> bool:
    try:
        with open_stored(cid):
            return True
    except (ContentNotFound, ContentCorrupt):
        return False
    except StorageError as error:
        raise StoreDown from error


def _newest_moment(life: Incarnation) -> datetime | None:
    """The last moment of which the restored database knows."""
    moments = [
        Act.objects.filter(incarnation__lt=life.number).aggregate(last=Max("created_at"))["last"],
        User.objects.filter(last_login__lt=life.began_at).aggregate(last=Max("last_login"))["last"],
    ]
    return max((moment for moment in moments if moment is not None), default=None)


def _changes(life: Incarnation) -> dict[str, dict[str, Any]]:
    """By account: what came back from the chain, what was sent again, and what is lost."""
    changes: dict[str, dict[str, Any]] = {}
    first = life.read_block if life.read_block is not None else 0
    events = Event.objects.filter(block_number__gt=first).values_list("act_digest", "name", "author")
    for some in batches(events.iterator(chunk_size=2_000)):
        known = set(Act.objects.filter(digest__in=[row[0] for row in some]).values_list("digest", flat=True))
        for digest, name, author in some:
            if digest not in known:
                _count(changes, author, "back", ACT_OF_EVENT[name])
    for row in LostAct.objects.filter(outcome__in=(Outcome.SENT, Outcome.LOST)):
        if row.kind not in TOLD:
            continue
        if row.outcome == Outcome.SENT:
            _count(changes, row.author, "again", row.kind)
        else:
            named = ("grantee", "sender", "doctor", "patient")
            who = next((row.fields[name] for name in named if name in row.fields), "")
            lost = changes.setdefault(row.author, {}).setdefault("lost", [])
            lost.append([row.kind, "" if who == row.author else who, row.accepted_at.isoformat()])
    return changes


def _count(changes: dict[str, dict[str, Any]], account: str, what: str, kind: str) -> None:
    if kind in TOLD:
        counts = changes.setdefault(account, {}).setdefault(what, {})
        counts[kind] = counts.get(kind, 0) + 1


def _leave(account: str, subject: str, details: dict[str, Any]) -> bool:
    """Leave an account the news of a restore, once; False where it has just these already."""
    before = Errand.objects.filter(account=account, kind=AFTER_RESTORE, subject=subject)
    if before.filter(details=details).exists():
        return False
    if not before.filter(state=Errand.State.OPEN).update(details=details):
        add_errand(account=account, kind=AFTER_RESTORE, subject=subject, details=details)
    return True


def _phrases(counts: dict[str, int]) -> list[str]:
    return [f"{count} {TOLD[kind][count != 1]}" for kind, count in counts.items() if kind in TOLD]
