"""The projection: what confirmed events say, written down. In block order, and twice is the same as once.

Addresses may belong to nobody here (other portals write to the same contract).
"""

from django.utils import timezone

from accounts.models import Account, Affiliation
from accounts.services.errands import add_errand
from chain.handlers import on_act_settled, on_event, on_reset
from chain.models import Act, Event
from chain.slots import folder_of_scope
from records.chain_words import address_row, moment, raw, word_row
from records.models import (
    BlockedSender,
    FolderState,
    Grant,
    QueuedKey,
    Record,
    Rekey,
    Request,
    Version,
)
from records.services.errands import RENEW, REVOKE_AGAIN, WRAP
from records.services.rekeying import REKEY
from records.services.revocations import end_grant
from records.services.sending import leave_errand


@on_event("FolderNamed")
def name_folder(event: Event) -> None:
    """Keep the digest of a folder's sealed name, if this serial is the newest."""
    args = event.args
    state, _ = FolderState.objects.get_or_create(patient=args["author"], folder=args["folder"])
    if args["serial"] > state.name_serial:
        state.name, state.name_serial = args["name"], args["serial"]
        state.save(update_fields=["name", "name_serial"])


@on_event("FolderRekeyed")
def rekey_folder(event: Event) -> None:
    """Move a folder to a higher epoch."""
    args = event.args
    state, _ = FolderState.objects.get_or_create(patient=args["author"], folder=args["folder"])
    if args["toEpoch"] > state.epoch:
        state.epoch = args["toEpoch"]
        state.save(update_fields=["epoch"])
    Rekey.objects.get_or_create(
        patient=args["author"],
        folder=args["folder"],
        epoch=args["toEpoch"],
        defaults={
            "envelopes": args["envelopes"],
            "at": event.block_time,
            "block_number": event.block_number,
        },
    )


@on_event("RecordAdded")
def add_record(event: Event) -> None:
    """A new record and its first version."""
    args = event.args
    Record.objects.get_or_create(
        record=args["record"],
        defaults={
            "patient": args["patient"],
            "author": args["author"],
            "via": address_row(args["via"]),
            "nonce": args["nonce"],
            "folder": args["folder"],
            "epoch": args["epoch"],
            "created_at": event.block_time,
            "block_number": event.block_number,
        },
    )
    _add_version(event, 1)


@on_event("RecordModified")
def modify_record(event: Event) -> None:
    """A record's next version; its folder and epoch are the record's now."""
    args = event.args
    _add_version(event, args["version"])
    Record.objects.filter(record=args["record"], version__lt=args["version"]).update(
        version=args["version"], folder=args["folder"], epoch=args["epoch"]
    )


@on_event("RecordClosed")
def close_record(event: Event) -> None:
    """No further versions."""
    Record.objects.filter(record=event.args["record"]).update(closed=event.args["reason"])


@on_event("SenderBlocked")
def block_sender(event: Event) -> None:
    """A patient refuses, or takes again, inbox records from a sender."""
    args = event.args
    row, made = BlockedSender.objects.get_or_create(
        patient=args["author"],
        sender=args["sender"],
        defaults={"blocked": args["blocked"], "serial": args["serial"]},
    )
    if not made and args["serial"] > row.serial:
        row.blocked, row.serial = args["blocked"], args["serial"]
        row.save(update_fields=["blocked", "serial"])


@on_event("AccessRequested")
def request_access(event: Event) -> None:
    """A request, open until it is denied or withdrawn."""
    args = event.args
    Request.objects.get_or_create(
        request=args["request"],
        defaults={
            "patient": args["patient"],
            "author": args["author"],
            "via": address_row(args["via"]),
            "nonce": args["nonce"],
            "envelopes": args["envelopes"],
            "requested_at": event.block_time,
            "block_number": event.block_number,
        },
    )


@on_event("RequestWithdrawn")
def withdraw_request(event: Event) -> None:
    """Taken back by its author."""
    Request.objects.filter(request=event.args["request"], state=Request.State.OPEN).update(
        state=Request.State.WITHDRAWN, closed_at=event.block_time
    )


@on_event("AccessDenied")
def deny_access(event: Event) -> None:
    """Refused by the patient; the reason is in envelopes."""
    Request.objects.filter(request=event.args["request"], state=Request.State.OPEN).update(
        state=Request.State.DENIED, closed_at=event.block_time, reason=word_row(event.args["reason"])
    )


@on_event("AccessGranted")
def grant_access(event: Event) -> None:
    """The latest word on its slot, if its serial is the highest."""
    args = event.args
    via = address_row(args["via"])
    personal = bool(via) and via != args["grantee"]
    values = {
        "permissions": args["permissions"],
        "not_before": moment(args["notBefore"]),
        "expiry": moment(args["expiry"]),
        "epoch": args["epoch"],
        "envelopes": args["envelopes"],
        "request": word_row(args["request"]),
        "affiliation_serial": _affiliation_serial(via, args["grantee"]) if personal else 0,
        "ended": Grant.Ended.NO,
        "granted_at": event.block_time,
        "ended_at": None,
    }
    _settle_grant(event, patient=args["author"], grantee=args["grantee"], values=values)


@on_event("AccessRevoked")
def revoke_access(event: Event) -> None:
    """Ended by the patient, with every grant of a lower serial."""
    values = {"ended": Grant.Ended.REVOKED, "ended_at": event.block_time}
    _settle_grant(event, patient=event.args["author"], grantee=event.args["grantee"], values=values)


@on_event("AccessGivenUp")
def give_up_access(event: Event) -> None:
    """Ended by the grantee, who named the serial in force."""
    args = event.args
    Grant.objects.filter(
        patient=args["patient"],
        grantee=args["author"],
        via=address_row(args["via"]),
        scope=args["scope"],
        serial=args["serial"],
        ended=Grant.Ended.NO,
    ).update(ended=Grant.Ended.GIVEN_UP, ended_at=event.block_time)


@on_event("RecordAdded", "RecordModified")
def leave_key_errands(event: Event) -> None:
    """A key sealed to the patient is to be wrapped; a new one, sealed to who has the record alone."""
    args = event.args
    record, patient = args["record"], args["patient"]
    if len(raw(args["secret"])) == 40:
        _forget_queued_keys(record)
    if not Account.objects.filter(address=patient).exists() or args["folder"] == 0:
        return
    if len(raw(args["secret"])) == 32:
        add_errand(account=patient, kind=WRAP, subject=record)
    granted = Grant.objects.filter(patient=patient, scope=record, ended="", expiry__gt=timezone.now())
    if event.name == "RecordModified" and granted.exists():
        add_errand(account=patient, kind=RENEW, subject=record)


@on_event("KeyPublished")
def leave_rekey_errands(event: Event) -> None:
    """An institution's key moved on, since a doctor left: folders granted to it move on too."""
    institution = event.args["author"]
    granted = Grant.objects.filter(grantee=institution, via=institution, ended="", expiry__gt=timezone.now())
    for patient, scope in granted.values_list("patient", "scope"):
        folder = folder_of_scope(scope)
        if folder is not None and Account.objects.filter(address=patient).exists():
            add_errand(account=patient, kind=REKEY, subject=str(folder))


@on_event("AccessRevoked", "AccessGivenUp")
def erase_envelopes(event: Event) -> None:
    """Whoever ended it, through whichever portal: its envelopes go, and its folder is re-keyed."""
    args = event.args
    given_up = event.name == "AccessGivenUp"
    patient, grantee = (args["patient"], args["author"]) if given_up else (args["author"], args["grantee"])
    if Account.objects.filter(address=patient).exists():
        end_grant(patient=patient, grantee=grantee, scope=args["scope"])


@on_act_settled("NewRecord", "ModifyRecord")
def return_record(act: Act) -> None:
    """What the chain refused is its author's errand: to send again, or to drop."""
    if act.state != "confirmed":
        leave_errand(act)


@on_act_settled("GrantAccess")
def return_grant(act: Act) -> None:
    """A grant that was refused opens nothing: its envelopes go."""
    if act.state != "confirmed":
        end_grant(patient=act.author, grantee=act.fields["grantee"], scope=act.fields["scope"])


@on_act_settled("RevokeAccess")
def return_revoke(act: Act) -> None:
    """The portal obeys a refused revoke all the same; it is signed again for the chain."""
    newer = Act.objects.filter(slot=act.slot, number__gt=act.number).exclude(pk=act.pk)
    if act.state != "confirmed" and not newer.exists():
        add_errand(account=act.author, kind=REVOKE_AGAIN, subject=act.digest)


@on_act_settled("RekeyFolder")
def return_rekey(act: Act) -> None:
    """A folder that could not be moved is moved at the patient's next opening."""
    if act.state != "confirmed":
        add_errand(account=act.author, kind=REKEY, subject=str(act.fields["folder"]))


@on_reset
def forget_projection() -> None:
    """Empty the projection: the archive of events is told anew."""
    for model in (Version, Record, FolderState, BlockedSender, Rekey, Grant, Request):
        model.objects.all().delete()


def _forget_queued_keys(record: str) -> None:
    """Keys kept for versions that the chain now has; those of refused ones stay for their authors."""
    for row in QueuedKey.objects.filter(record=record):
        if Version.objects.filter(record=record, version=row.version, author=row.author).exists():
            row.delete()


def _settle_grant(event: Event, *, patient: str, grantee: str, values: dict[str, object]) -> None:
    args = event.args
    values = {**values, "serial": args["serial"], "block_number": event.block_number}
    row, made = Grant.objects.get_or_create(
        patient=patient,
        grantee=grantee,
        via=address_row(args["via"]),
        scope=args["scope"],
        defaults=values,
    )
    if not made:
        Grant.objects.filter(pk=row.pk, serial__lt=args["serial"]).update(**values)


def _affiliation_serial(institution: str, doctor: str) -> int:
    """The affiliation's serial at this event: the directory's projection stands at the same event."""
    row = Affiliation.objects.filter(institution=institution, doctor=doctor).first()
    return row.serial if row else 0


def _add_version(event: Event, number: int) -> None:
    args = event.args
    Version.objects.get_or_create(
        record_id=args["record"],
        version=number,
        defaults={
            "author": args["author"],
            "via": address_row(args["via"]),
            "folder": args["folder"],
            "epoch": args["epoch"],
            "flags": args["flags"],
            "content": args["content"],
            "description": args["description"],
            "secret": args["secret"],
            "at": event.block_time,
            "block_number": event.block_number,
            "tx_hash": event.tx_hash,
        },
    )
