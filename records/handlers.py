"""What follows from events and settled acts outside the projection: errands, and envelopes to erase."""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.db.models import Count, F
from django.utils import timezone

from accounts.directory import known_accounts, mended_keys
from accounts.services.errands import add_errand, settle_errands
from accounts.services.limits import DAY, most_of
from chain.acts.messages import PreparedAct
from chain.contract.slots import folder_of_scope, slot_epoch
from chain.models import Act, Event
from chain.models.bulk import batches, rows_in
from chain.registry import on_act_offered, on_act_settled, on_news
from chain.support.wakeup import Wakeup
from records.chain_words import raw
from records.models import Blob, EnvelopeList, Grant, QueuedKey, Version
from records.services.envelopes import drop_list, release_lists, use_again
from records.services.errands import REVOKE_AGAIN, WRAP
from records.services.holders import REKEY
from records.services.list_index import ask_to_seal, list_of_event
from records.services.refusals import DECIDED, forget_refusals, note_refusal
from records.services.renewing import RENEW, erase_superseded
from records.services.revocations import end_grant
from records.services.sending import SEND_AGAIN, leave_errand
from records.services.wanting import want_consent, want_granted, want_records

_NAMES = Wakeup("records.tasks.fetch_folder_names")


@on_news("RecordAdded", "RecordModified")
def leave_key_errands(events: Sequence[Event]) -> None:
    """A key sealed to the patient is to be wrapped; a new one, sealed to who has the record alone."""
    _forget_queued_keys({event["record"] for event in events if len(raw(event["secret"])) == 40})
    ours = known_accounts(event["patient"] for event in events)
    filed = [event for event in events if event["patient"] in ours and event["folder"] != 0]
    filed = _within_limit(filed)
    standing = Grant.objects.filter(ended="", expiry__gt=timezone.now())
    modified = {event["record"] for event in filed if event.name == "RecordModified"}
    granted = {(row.patient, row.scope) for row in rows_in(standing, "scope", modified)}
    for event in filed:
        patient, record = event["patient"], event["record"]
        if len(raw(event["secret"])) == 32:
            add_errand(account=patient, kind=WRAP, subject=record)
        if (patient, record) in granted:
            add_errand(account=patient, kind=RENEW, subject=record)


@on_news("RecordAdded", "RecordModified")
def fetch_records(events: Sequence[Event]) -> None:
    """What was put elsewhere is brought here by a worker."""
    want_records(events)


@on_news("AccessRequested", "AccessDenied", "AccessGranted", "FolderRekeyed", "FolderNamed")
def fetch_consent(events: Sequence[Event]) -> None:
    """Envelopes and names, too, and what a patient elsewhere shares with doctors of this portal."""
    want_consent(events)
    granted = [event for event in events if event.name == "AccessGranted"]
    if granted:
        want_granted(granted)


@on_news("FolderNamed")
def look_for_name(events: Sequence[Event]) -> None:
    """A name that was given elsewhere is in the store, not here."""
    if known_accounts(event.subject for event in events):
        _NAMES.give()


@on_news("KeyPublished")
def leave_rekey_errands(events: Sequence[Event]) -> None:
    """An institution's key moved on, since a doctor left: what is granted to it is sealed to the new one."""
    standing = Grant.objects.filter(via=F("grantee"), ended="", expiry__gt=timezone.now())
    _ask_to_seal(rows_in(standing, "grantee", {event["author"] for event in events}))


@on_news("KeyPublished", "KeysReplaced")
def leave_errands_for_mended_keys(events: Sequence[Event]) -> None:
    """Who had a key that could not be used has another: what is granted to them is sealed to it."""
    standing = Grant.objects.filter(ended="", expiry__gt=timezone.now())
    _ask_to_seal(rows_in(standing, "grantee", mended_keys(events)))


@on_news("AccessGranted", "FolderRekeyed")
def release_envelopes(events: Sequence[Event]) -> None:
    """What the act hands over may be found by its recipients now, through whichever portal they read.

    An act that was refused, and that somebody has sent all the same, hands over what is erased already.
    Anybody may name any list: only an act of who sealed it counts.
    """
    named = {(event["envelopes"], event.author): event for event in events}
    rows = rows_in(EnvelopeList.objects.only("digest", "sender"), "digest", {digest for digest, _ in named})
    own = {row.digest: named[row.digest, row.sender] for row in rows if (row.digest, row.sender) in named}
    release_lists(own)
    for row in rows_in(Blob.objects.filter(state=Blob.State.DELETED).only("pk"), "pk", own):
        ask_to_seal(list_of_event(own[row.pk]))


@on_news("AccessGranted")
def erase_superseded_envelopes(events: Sequence[Event]) -> None:
    """A record or selection granted again, to the same person: the envelopes before have had their day.

    A list may be named again after its grant had ended, by another portal.
    """
    lists = EnvelopeList.objects.filter(envelopes__deleted_at__isnull=False).only("digest")
    ended = {row.digest for row in rows_in(lists, "digest", {event["envelopes"] for event in events})}
    for event in events:
        scope, digest = event["scope"], event["envelopes"]
        is_folder = folder_of_scope(scope) is not None
        if digest in ended or not is_folder:  # of others, an event before this one may end them
            use_again(patient=event.author, scope=scope, recipient=event["grantee"], digest=digest)
        if not is_folder:
            erase_superseded(event)


@on_news("AccessGranted")
def ask_to_seal_late_grants(events: Sequence[Event]) -> None:
    """Another portal's grant, while a move from here was on its way: no list has an envelope for it."""
    granted = [event for event in events if folder_of_scope(event["scope"]) is not None]
    slots = {slot_epoch(event.author, int(event["scope"], 16)): event for event in granted}
    moves = list(rows_in(Act.objects.waiting().of_kind("RekeyFolder"), "slot", slots))
    late = [move for move in moves if move.number > slots[move.slot]["epoch"]]
    for move in late:
        if not Act.objects.filter(digest=slots[move.slot].act_digest).exists():
            add_errand(account=move.author, kind=REKEY, subject=str(move.fields["folder"]))


@on_news("AccessRevoked", "AccessGivenUp")
def erase_envelopes(events: Sequence[Event]) -> None:
    """Whoever ended it, through whichever portal: its envelopes go, and its folder is re-keyed."""
    ours = known_accounts(event.subject for event in events)
    for event in events:
        grantee = event.author if event.name == "AccessGivenUp" else event["grantee"]
        if event.subject in ours:
            end_grant(patient=event.subject, grantee=grantee, scope=event["scope"])


@on_act_settled("NewRecord", "ModifyRecord")
def return_record(act: Act) -> None:
    """What the chain refused is its author's errand: to send again, or to drop."""
    if act.state != "confirmed":
        leave_errand(act)
    elif act.was_refused:
        settle_errands(kind=SEND_AGAIN, subject=act.digest, account=act.author)


@on_act_settled(*DECIDED)
def tell_of_refusal(act: Act) -> None:
    """Any other act that the chain refused is its author's to do again, or to leave."""
    if act.state != "confirmed":
        note_refusal(act)
    elif act.was_refused:
        forget_refusals(act.author, act.slot)


@on_act_offered
def forget_what_was_refused(act: PreparedAct) -> None:
    """A newer word on the same decides what was refused before it."""
    if act.kind in DECIDED:
        forget_refusals(act.author, act.slot[0])


@on_act_settled("GrantAccess")
def return_grant(act: Act) -> None:
    """A grant that was refused opens nothing: its envelopes go."""
    if act.state != "confirmed":
        drop_list(act.fields["envelopes"])
        end_grant(patient=act.author, grantee=act.fields["grantee"], scope=act.fields["scope"])


@on_act_settled("RevokeAccess")
def return_revoke(act: Act) -> None:
    """The portal obeys a refused revoke all the same; it is signed again for the chain."""
    newer = Act.objects.filter(slot=act.slot, number__gt=act.number).exclude(pk=act.pk)
    if act.state != "confirmed" and not newer.exists():
        add_errand(account=act.author, kind=REVOKE_AGAIN, subject=act.digest)


@on_act_settled("RekeyFolder")
def return_rekey(act: Act) -> None:
    """A folder that could not be moved is moved at the patient's next opening, to an epoch of its own."""
    if act.state != "confirmed":
        drop_list(act.fields["envelopes"])
        add_errand(account=act.author, kind=REKEY, subject=str(act.fields["folder"]))


def _within_limit(events: list[Event]) -> list[Event]:
    """Those that may leave a key task: beyond so many a day, one sender's leave a patient none."""
    most, first = most_of("KEY_TASKS_PER_SENDER"), {}
    counts = Counter((event["patient"], event.author) for event in events if event.author != event["patient"])
    for authors in batches({author for _, author in counts} if most else ()):
        today = Version.objects.filter(author__in=authors, at__gt=timezone.now() - DAY).order_by()
        for patient, author, count in today.values_list("record__patient", "author").annotate(Count("pk")):
            if (patient, author) in counts:
                first[patient, author] = count - counts[patient, author]
    allowed = []
    for event in events:
        sent = (event["patient"], event.author)
        if sent in first:
            first[sent] += 1
            if first[sent] > most:
                continue
        allowed.append(event)
    return allowed


def _ask_to_seal(grants: Iterable[Grant]) -> None:
    """Errands for the patients of these grants who are from here."""
    granted = list(grants)
    ours = known_accounts(row.patient for row in granted)
    for row in granted:
        if row.patient not in ours:
            continue
        if row.folder is not None:
            add_errand(account=row.patient, kind=REKEY, subject=str(row.folder))
        else:
            add_errand(account=row.patient, kind=RENEW, subject=row.scope)


def _forget_queued_keys(records: set[str]) -> None:
    """Keys kept for versions that the chain now has; those of refused ones stay for their authors."""
    for row in rows_in(QueuedKey.objects.all(), "record", records):
        if Version.objects.filter(record=row.record, version=row.version, author=row.author).exists():
            row.delete()
