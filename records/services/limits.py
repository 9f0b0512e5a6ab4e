"""The limits of requests, inboxes, files and folders: which rows are counted against which of them."""

from django.db.models import Q, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.models import Affiliation
from accounts.services.limits import check_bytes, check_count, most_of, wait_in_line
from chain.acts import PreparedAct
from chain.handlers import on_act_offered
from chain.models import Act
from records.chain_words import address_row
from records.models import EmailRequest, Holding, Record, Upload
from records.services.folders import INBOX


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
    records = Record.objects.filter(patient=row.patient)
    check_bytes("BYTES_PER_PATIENT", _held(records), adds=size)
    if row.folder == INBOX:
        check_bytes("INBOX_BYTES_PER_PATIENT", _held(records.filter(folder=INBOX, closed=0)), adds=size)


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


def _held(records: "QuerySet[Record]") -> "QuerySet[Holding]":
    return Holding.objects.filter(state=Holding.State.KEPT, record__in=records.values("record"))
