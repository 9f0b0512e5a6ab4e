"""The limits of requests, inboxes, files and folders: which rows are counted against which of them."""

from typing import Any

from django.db.models import Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from accounts.models import Account, Affiliation
from accounts.services.limits import DAY, check_bytes, check_count, most_of, wait_in_line
from chain.acts.messages import PreparedAct
from chain.models import Act
from chain.registry import on_act_offered
from records.arrivals import LARGE, NO_ROOM
from records.chain_words import address_row
from records.models import EmailRequest, Fetch, Grant, Holding, Record, Request, Upload
from records.services.folders import INBOX

MIB = 1024**2
SMALL_FILE = MIB  # bytes of a description, an envelope, a list, a name
UNASKED_FILE = 64 * MIB
LARGEST_FILE = 2**50  # where no limit is set


@on_act_offered
def check_request(act: PreparedAct) -> None:
    """A request: of its author, to one patient, to a patient from all, through an institution."""
    if act.kind != "RequestAccess":
        return
    via = address_row(act.fields["via"])
    wait_in_line([act.author, act.subject, via])
    asked = Act.objects.of_kind("RequestAccess")
    check_count("REQUESTS_PER_SENDER", asked.by(act.author))
    check_count("REQUESTS_TO_ONE_PATIENT", asked.by(act.author).about(act.subject))
    check_count("REQUESTS_PER_PATIENT", asked.about(act.subject))
    check_count("REQUESTS_PER_INSTITUTION", _through(via, asked))


@on_act_offered
def check_inbox_act(act: PreparedAct) -> None:
    """A record for the inbox of a patient who has not agreed to it."""
    fields = act.fields
    if act.kind == "NewRecord" and fields["folder"] == INBOX and act.author != act.subject:
        via = address_row(fields["via"])
        wait_in_line([act.author, act.subject, via])
        check_inbox(act.author, act.subject, via)


def check_inbox(author: str, patient: str, via: str) -> None:
    """Raise LimitReached unless the author may leave one more record. Asked before the file is sent, too."""
    left = Act.objects.of_kind("NewRecord").exclude(author=patient).filter(fields__folder=INBOX)
    check_count("INBOX_PER_SENDER", left.by(author))
    check_count("INBOX_TO_ONE_PATIENT", left.by(author).about(patient))
    check_count("INBOX_PER_PATIENT", left.about(patient))
    check_count("INBOX_PER_INSTITUTION", _through(via, left))


def check_mail(row: EmailRequest) -> None:
    """A request that is to be mailed. In the transaction that keeps it."""
    wait_in_line([row.author, row.via])
    check_count("MAILS_PER_SENDER", EmailRequest.objects.filter(author=row.author))
    check_count("MAILS_TO_ONE_ADDRESS", EmailRequest.objects.filter(email=row.email))
    check_count("MAILS_PER_INSTITUTION", EmailRequest.objects.filter(via=row.via))


def check_upload(row: Upload, size: int) -> None:
    """A file of this size. Asked before it is sent, and again in the transaction that keeps it."""
    done = Upload.objects.filter(state=Upload.State.DONE)
    check_bytes("BYTES_PER_SENDER", done.filter(author=row.author), adds=size)
    if row.via:
        check_bytes("BYTES_PER_INSTITUTION", done.filter(via=row.via), adds=size)
    check_bytes("BYTES_PER_PATIENT", _held_of(row.patient), adds=size)
    if row.folder == INBOX:
        inbox = Record.objects.filter(patient=row.patient, folder=INBOX, closed=0)
        check_bytes("INBOX_BYTES_PER_PATIENT", _held(inbox), adds=size)


def room_for_fetch(row: Fetch) -> tuple[int, str]:
    """Return how many bytes a file from elsewhere may have here, and the note on a larger one.

    The limits of uploads hold for it, too. 0: none is taken.
    """
    rooms = [(LARGEST_FILE if row.kind == Fetch.Kind.CONTENT else SMALL_FILE, NO_ROOM)]
    if row.author != row.patient or not _is_here(row.author):
        rooms += _room_of_sender(row.author)
    if row.kind == Fetch.Kind.CONTENT:
        record = Record.objects.filter(pk=row.record).first()
        rooms.append((_bytes_left("BYTES_PER_PATIENT", _held_of(row.patient)), NO_ROOM))
        if record is not None and record.folder == INBOX:
            rooms += _room_in_inbox(record)
        if row.opened_at is None:
            rooms.append((_unasked(record), LARGE))
    return min(rooms, key=lambda room: room[0])


def _room_of_sender(author: str) -> list[tuple[int, str]]:
    today = Fetch.objects.filter(author=author, state=Fetch.State.HERE, since__gt=timezone.now() - DAY)
    most = most_of("FETCHES_PER_SENDER")
    if most and today.count() >= most:
        return [(0, NO_ROOM)]
    return [(_bytes_left("BYTES_PER_SENDER", today), NO_ROOM)]


def _room_in_inbox(record: Record) -> list[tuple[int, str]]:
    inbox = Record.objects.filter(patient=record.patient, folder=INBOX, closed=0)
    if folded_in_inbox(record.patient).filter(pk=record.pk).exists():
        return [(0, NO_ROOM)]  # counted, and not shown
    return [(_bytes_left("INBOX_BYTES_PER_PATIENT", _held(inbox)), NO_ROOM)]


def _unasked(record: Record | None) -> int:
    """Return how much comes before somebody opens it: little of what nobody of this portal has agreed to."""
    if record is None or record.closed:
        return 0
    if not _is_here(record.patient):
        return UNASKED_FILE if _was_asked_for(record.patient) else 0
    return UNASKED_FILE if record.folder == INBOX else LARGEST_FILE


def _was_asked_for(patient: str) -> bool:
    """Return whether a patient elsewhere answered a request from here: anybody may share anything."""
    grants = Grant.objects.filter(patient=patient, ended=Grant.Ended.NO, expiry__gt=timezone.now())
    asked = Request.objects.filter(pk__in=grants.exclude(request="").values("request"))
    return asked.filter(author__in=Account.objects.values("address")).exists()


def _is_here(address: str) -> bool:
    return Account.objects.filter(address=address).exists()


def _bytes_left(name: str, rows: "QuerySet[Any]") -> int:
    most = most_of(name)
    return most - (rows.aggregate(sum=Sum("size"))["sum"] or 0) if most else LARGEST_FILE


def folded_in_inbox(patient: str) -> "QuerySet[Record]":
    """Records of the inbox that are counted and not shown: the newest of a sender or institution with many.

    They come up as those before them are filed or refused. So nothing is lost, and a sender who fills an
    inbox by raw transactions hides nobody else's record.
    """
    by_sender, by_place = most_of("INBOX_SHOWN_PER_SENDER"), most_of("INBOX_SHOWN_PER_INSTITUTION")
    order = ("created_at", "pk")
    waiting = Record.objects.filter(patient=patient, folder=INBOX, closed=0).annotate(
        of_sender=Window(RowNumber(), partition_by="author", order_by=order),
        of_place=Window(RowNumber(), partition_by="via", order_by=order),
    )
    beyond = Q(pk__in=[])
    if by_sender:
        beyond |= Q(of_sender__gt=by_sender)
    if by_place:
        beyond |= Q(of_place__gt=by_place)
    return waiting.filter(beyond).order_by()


def _through(via: str, acts: "QuerySet[Act]") -> "QuerySet[Act]":
    """Those through an institution. By its doctors, whose newest acts an index finds."""
    doctors = Affiliation.objects.filter(institution=via, affiliated=True).values("doctor")
    return acts.filter(author__in=doctors, fields__via=via)


def _held_of(patient: str) -> "QuerySet[Holding]":
    return _held(Record.objects.filter(patient=patient))


def _held(records: "QuerySet[Record]") -> "QuerySet[Holding]":
    return Holding.objects.filter(state=Holding.State.KEPT, record__in=records.values("record"))
