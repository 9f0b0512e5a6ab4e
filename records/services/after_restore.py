"""After a restore from a backup: the chain is read, what was accepted since is sent again, people are told.

Each step may be done again, and may be cut off at any moment: what is left is done by the next run.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.urls import reverse
from django.utils import timezone

from accounts.actor import Actor
from accounts.errors import AccountsError
from accounts.models import Account, Errand, User
from accounts.notifications import notify
from accounts.services.errands import ErrandCard, add_errand, runs_errand, shows_errand
from chain.acts.messages import PreparedAct, SignedAct
from chain.contract.abi import ACT_OF_EVENT
from chain.contract.slots import SERIAL_SLOTS
from chain.errors import ActConflict, ActError, ChainError
from chain.indexer.archive import named_digests
from chain.models import Act, Event, Incarnation, LostAct
from chain.node.deployment import domain
from chain.outbox.submit import last_number, submit_act
from chain.restore import incarnation
from chain.restore.acceptance_log import collect_lost_acts
from chain.status import lag
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
RETURNED = "returned-after-restore"
ENDING = (
    "RevokeAccess",
    "GiveUpAccess",
    "BlockSender",
    "AffiliateDoctor",
    "LeaveInstitution",
    "AdmitInstitution",
)
"""Acts that may end somebody's access. They need no file."""
RECORD_KINDS = ("NewRecord", "ModifyRecord")
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

    May run twice at once. Grants open after the first step, which needs no file. Raises StoreDown.
    """
    collect_lost_acts()
    life = incarnation.unsettled_restore()
    if life is None:
        return True
    if not lag.knows_chain():
        return False
    try:
        for step in (
            end_access_again,
            mark_saved_uploads,
            accept_again,
            read_names_again,
            read_lists_again,
            tell_people,
        ):
            say(f"After the restore: {step(life)}.")
    except ChainError as error:
        logger.warning("What the restore asks for waits: %s", error)
        return False
    with transaction.atomic():
        lives = Incarnation.objects.select_for_update().filter(pk=life.pk)
        lives.get()  # another machine that brings lost acts waits, or was first
        if LostAct.objects.filter(outcome=Outcome.OPEN).exists():
            return False
        lives.update(settled_at=timezone.now())
    return True


def end_access_again(life: Incarnation) -> str:
    """Accept once more what may end access. Then what others share can be read again.

    What cannot be accepted here is tried once more in its turn, and keeps nothing closed.
    """
    refused: list[int] = []
    sent = 0
    ending = LostAct.objects.filter(outcome=Outcome.OPEN, kind__in=ENDING)
    while True:
        for row in ending.exclude(pk__in=refused):
            outcome = _accept_again(row)
            if outcome == Outcome.LOST:
                refused.append(row.pk)
            else:
                sent += outcome == Outcome.SENT
                _keep_outcome(row, outcome)
        with transaction.atomic():
            lives = Incarnation.objects.select_for_update().filter(reason=life.reason, settled_at=None)
            list(lives)  # another machine that brings lost acts waits, or was first
            if not ending.exclude(pk__in=refused).exists():
                lives.update(ends_accepted_at=timezone.now())
                return f"{sent} acts that may end access are sent again, grants are open"


def mark_saved_uploads(life: Incarnation) -> str:
    """Uploads whose record or version is on the chain are done. The others start over when they go on."""
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
        _keep_outcome(row, _accept_again(row))
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
    """Leave each person what changed. A mail for those who have to do something again."""
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


@receiver(post_save, sender=Account, dispatch_uid="records.after_restore")
def await_returned(instance: Account, created: bool, **_: object) -> None:
    """Tell somebody whose registration a restore forgot what changed, once the new account is opened."""
    life = _last_restore() if created else None
    if life is None:
        return
    address = instance.address
    if (
        life.settled_at is None
        or LostAct.objects.filter(author=address).exists()
        or Event.objects.authored_by(address).exists()
    ):
        add_errand(account=address, kind=RETURNED, subject=str(life.number))


@runs_errand(RETURNED)
def tell_returned(actor: Actor, errand: Errand) -> bool:
    """Leave a person who has registered again what the last restore changed. Waits until that is known."""
    del errand
    life = _last_restore()
    if life is None:
        return True
    if incarnation.unsettled_restore() is not None or not lag.knows_chain():
        return False
    try:
        changes = _changes(life, actor.address).get(actor.address)
    except StoreDown:
        return False
    if changes:
        since = _newest_moment(life)
        details = {"since": since.isoformat() if since else "", **changes}
        _leave(actor.address, str(life.number), details)
    return True


@shows_errand(AFTER_RESTORE)
def show_restored(errand: Errand) -> ErrandCard:
    """Show the changes that a restore made for this account."""
    lost = len(errand.details.get("lost", []))
    if lost:
        text = f"{lost} things that you did have to be" if lost > 1 else "One thing that you did has to be"
        text += " done again."
    else:
        text = "Look what that means for you."
    url = reverse("records:restored", args=[errand.pk])
    return ErrandCard("This portal was restored from a backup", text, url, is_news=True)


def changes_of(errand: Errand) -> RestoredView:
    """Return the content of a restore's page."""
    details = errand.details
    since = datetime.fromisoformat(details["since"]) if details.get("since") else None
    return RestoredView(
        since=since,
        back=_phrases(details.get("back", {})),
        again=_phrases(details.get("again", {})),
        lost=[(TOLD[kind][0], who, datetime.fromisoformat(at)) for kind, who, at in details.get("lost", [])],
    )


def _keep_outcome(row: LostAct, outcome: Outcome) -> None:
    LostAct.objects.filter(pk=row.pk, outcome=Outcome.OPEN).update(outcome=outcome)


def _last_restore() -> Incarnation | None:
    return Incarnation.objects.filter(reason=Incarnation.Reason.RESTORED).first()


def _accept_again(row: LostAct) -> Outcome:
    try:
        act = PreparedAct(row.kind, row.fields)
        slot, number = act.slot
        act.digest(domain())
    except (KeyError, TypeError, ValueError) as error:
        logger.warning("%s is damaged: %s", row, type(error).__name__)
        return Outcome.LOST
    if Event.objects.filter(act_digest=row.digest).exists() or Act.objects.filter(digest=row.digest).exists():
        return Outcome.KNOWN if row.kind not in RECORD_KINDS or _files_are_here(row.fields) else Outcome.LOST
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


def _files_are_here(fields: dict[str, Any], *, some_envelopes: bool = False) -> bool:
    """Return whether every file that an act names can be read, a list's envelopes too. Raises StoreDown.

    `some_envelopes`: one of a list is enough, since those of ended grants are erased.
    """
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
        are_here = (read_blob("0x" + entry.envelope.hex()) is not None for entry in entries)
        if not (not entries or any(are_here) if some_envelopes else all(are_here)):
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


def _changes(life: Incarnation, author: str | None = None) -> dict[str, dict[str, Any]]:
    """By account (all, or one): what came back from the chain, what was sent again, and what is lost.

    A record is back only with its files. Raises StoreDown.
    """
    changes: dict[str, dict[str, Any]] = {}
    first = life.read_block if life.read_block is not None else 0
    events = Event.objects.filter(block_number__gt=first).in_order()
    acts = LostAct.objects.filter(outcome__in=(Outcome.SENT, Outcome.LOST))
    if author is not None:
        events, acts = events.authored_by(author), acts.filter(author=author)
    rows = events.iterator(chunk_size=500)
    while some := list(islice(rows, 500)):
        _add_events(changes, some)
    for row in acts:
        if row.outcome == Outcome.SENT:
            _count(changes, row.author, "again", row.kind)
        elif row.kind in TOLD:
            named = ("grantee", "sender", "doctor", "patient")
            who = next((row.fields[name] for name in named if name in row.fields), "")
            _add_lost(changes, row.author, row.kind, "" if who == row.author else who, row.accepted_at)
    return changes


def _add_events(changes: dict[str, dict[str, Any]], events: Sequence[Event]) -> None:
    """Add what the chain has and this database forgot. What is lost is told by the act that was kept."""
    digests = [event.act_digest for event in events]
    known = set(Act.objects.filter(digest__in=digests).values_list("digest", flat=True))
    lost = LostAct.objects.filter(digest__in=digests, outcome=Outcome.LOST)
    known.update(lost.values_list("digest", flat=True))
    authors = {event.author for event in events}
    here = set(Account.objects.filter(address__in=authors).values_list("address", flat=True))
    for event in events:
        kind = ACT_OF_EVENT[event.name]
        if event.act_digest in known or event.author not in here:
            continue
        if kind in RECORD_KINDS and not _files_are_here(event.args, some_envelopes=True):
            _add_lost(changes, event.author, kind, "", event.block_time)
        else:
            _count(changes, event.author, "back", kind)


def _add_lost(changes: dict[str, dict[str, Any]], account: str, kind: str, who: str, at: datetime) -> None:
    changes.setdefault(account, {}).setdefault("lost", []).append([kind, who, at.isoformat()])


def _count(changes: dict[str, dict[str, Any]], account: str, what: str, kind: str) -> None:
    if kind in TOLD:
        counts = changes.setdefault(account, {}).setdefault(what, {})
        counts[kind] = counts.get(kind, 0) + 1


def _leave(account: str, subject: str, details: dict[str, Any]) -> bool:
    """Leave an account the news of a restore, once. False where it has just these already."""
    before = Errand.objects.filter(account=account, kind=AFTER_RESTORE, subject=subject)
    if before.filter(details=details).exists():
        return False
    if not before.filter(state=Errand.State.OPEN).update(details=details):
        add_errand(account=account, kind=AFTER_RESTORE, subject=subject, details=details)
    return True


def _phrases(counts: dict[str, int]) -> list[str]:
    return [f"{count} {TOLD[kind][count != 1]}" for kind, count in counts.items() if kind in TOLD]
