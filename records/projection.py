"""The projection: what confirmed events say, written down. In block order, and twice is the same as once.

Addresses may belong to nobody here (other portals write to the same contract). What follows from an event
outside the projection is in records.handlers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from accounts.projection import affiliation_serials
from chain.models import Event
from chain.models.bulk import insert_rows, rows_in
from chain.registry import on_event, on_events, on_reset
from records.chain_words import ZERO_ADDRESS, address_row, moment, word_row
from records.models import Anchor, BlockedSender, FolderState, Grant, Record, Rekey, Request, Version


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


@on_events("RecordAdded")
def add_records(events: Sequence[Event]) -> None:
    """New records and their first versions."""
    records = [
        Record(
            record=event["record"],
            patient=event["patient"],
            author=event["author"],
            via=address_row(event["via"]),
            nonce=event["nonce"],
            folder=event["folder"],
            epoch=event["epoch"],
            created_at=event.block_time,
            block_number=event.block_number,
        )
        for event in events
    ]
    insert_rows(records, unique=("record",))
    _add_versions(events)


@on_events("RecordModified")
def modify_records(events: Sequence[Event]) -> None:
    """Records' next versions. The newest one's folder and epoch are the record's now."""
    _add_versions(events)
    newest: dict[str, Event] = {}
    for event in events:
        if event["record"] not in newest or event["version"] > newest[event["record"]]["version"]:
            newest[event["record"]] = event
    changed = []
    for row in rows_in(Record.objects.all(), "record", newest):
        event = newest[row.record]
        if row.version < event["version"]:
            row.version, row.folder, row.epoch = event["version"], event["folder"], event["epoch"]
            changed.append(row)
    insert_rows(changed, unique=("record",), update=True)


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
    """Refused by the patient. The reason is in envelopes."""
    Request.objects.filter(request=event.args["request"], state=Request.State.OPEN).update(
        state=Request.State.DENIED, closed_at=event.block_time, reason=word_row(event.args["reason"])
    )


@on_events("AccessGranted")
def grant_access(events: Sequence[Event]) -> None:
    """The latest word on each slot is the one with the highest serial."""
    pairs = {(event["via"], event["grantee"]) for event in events}
    serials = affiliation_serials({(via, who) for via, who in pairs if via not in (ZERO_ADDRESS, who)})
    _settle_grants((event, _granted(event, serials)) for event in events)


@on_events("AccessRevoked")
def revoke_access(events: Sequence[Event]) -> None:
    """Ended by the patient, with every grant of a lower serial."""
    _settle_grants((event, {"ended": Grant.Ended.REVOKED, "ended_at": event.block_time}) for event in events)


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


@on_events("LogAnchored")
def anchor_log(events: Sequence[Event]) -> None:
    """Anchors of view logs, whichever portal's. The contract takes each size of a log once."""
    anchors = [
        Anchor(
            author=event["author"],
            log=event["log"],
            size=event.number,
            root=event["root"],
            act=event.act_digest,
            at=event.block_time,
            block_number=event.block_number,
            tx_hash=event.tx_hash,
        )
        for event in events
    ]
    insert_rows(anchors, unique=("author", "log", "size"))


@on_reset
def forget_projection() -> None:
    """Empty the projection: the archive of events is told anew."""
    for model in (Version, Record, FolderState, BlockedSender, Rekey, Grant, Request, Anchor):
        model.objects.all().delete()


def _granted(event: Event, serials: dict[tuple[str, str], int]) -> dict[str, Any]:
    """A grant's columns. The directory's projection stands at the same event."""
    args = event.args
    return {
        "permissions": args["permissions"],
        "not_before": moment(args["notBefore"]),
        "expiry": moment(args["expiry"]),
        "epoch": args["epoch"],
        "envelopes": args["envelopes"],
        "request": word_row(args["request"]),
        "affiliation_serial": serials.get((args["via"], args["grantee"]), 0),
        "ended": Grant.Ended.NO,
        "granted_at": event.block_time,
        "ended_at": None,
    }


def _settle_grants(said: Iterable[tuple[Event, dict[str, Any]]]) -> None:
    """Write down, of each slot, what the event with the highest serial says. Lower ones are overtaken."""
    words = list(said)
    patients = {event["author"] for event, _ in words}
    rows = {
        (row.patient, row.grantee, row.via, row.scope): row
        for row in rows_in(Grant.objects.all(), "patient", patients)
    }
    changed: dict[tuple[str, ...], Grant] = {}
    for event, values in words:
        slot = (event["author"], event["grantee"], address_row(event["via"]), event["scope"])
        row = rows.get(slot)
        if row is None:
            patient, grantee, via, scope = slot
            row = rows[slot] = Grant(patient=patient, grantee=grantee, via=via, scope=scope)
        elif row.serial >= event["serial"]:
            continue
        for name, value in values.items():
            setattr(row, name, value)
        row.serial, row.block_number = event["serial"], event.block_number
        changed[slot] = row
    insert_rows(changed.values(), unique=("patient", "grantee", "via", "scope"), update=True)


def _add_versions(events: Sequence[Event]) -> None:
    versions = [
        Version(
            record_id=event["record"],
            version=event.number,
            author=event["author"],
            via=address_row(event["via"]),
            folder=event["folder"],
            epoch=event["epoch"],
            flags=event["flags"],
            content=event["content"],
            description=event["description"],
            secret=event["secret"],
            at=event.block_time,
            block_number=event.block_number,
            tx_hash=event.tx_hash,
        )
        for event in events
    ]
    insert_rows(versions, unique=("record", "version"))
