"""The access history: every look at a record, and every step of consent, in one line of time.

A step has the block and transaction it stands in; a look those of its anchor, once that is confirmed.
"""

from dataclasses import replace
from datetime import datetime

from accounts.actor import Actor
from accounts.services.directory import Person
from chain.abi import ACT_OF_EVENT
from chain.models import Act, Event
from records.chain_words import ZERO_WORD, address_row
from records.errors import NotFound
from records.models import Anchor, Record, ViewLog
from records.services.keyring import Keyring
from records.services.naming import people_named_to
from records.services.states import act_record, act_state, states_of
from records.shapes import HistoryEntry

LINES = 500
WORDS = {
    "AccessRequested": ("requested", "asked for access"),
    "RequestWithdrawn": ("withdrawn", "took a request back"),
    "AccessDenied": ("denied", "refused a request"),
    "AccessGranted": ("granted", "gave access"),
    "AccessRevoked": ("revoked", "took access back"),
    "AccessGivenUp": ("given up", "gave access up"),
    "FolderRekeyed": ("rekeyed", "changed a folder's key"),
    "RecordAdded": ("added", "added a record"),
    "RecordModified": ("modified", "changed a record"),
    "RecordClosed": ("closed", "closed a record"),
    "SenderBlocked": ("blocked", "changed who may leave records"),
}
ACTS = {ACT_OF_EVENT[event]: event for event in WORDS}
VIEWED = {
    ViewLog.What.CONTENT: ("viewed", "opened a record"),
    ViewLog.What.LIST: ("listed", "looked at the list"),
}


def access_history(*, actor: Actor, patient: str, lines: int = LINES) -> list[HistoryEntry]:
    """The newest lines, newest first; only the patient sees them. Raises NotFound, VaultClosed."""
    if actor.address != patient:
        raise NotFound("Only the patient sees the access history.")
    views = list(ViewLog.objects.filter(patient=patient).with_anchor()[:lines])
    anchors = Anchor.objects.in_bulk({row.anchor for row in views if row.anchor})
    events = list(Event.objects.about(patient).named(*WORDS).in_order().reverse()[:lines])
    seen = {event.act_digest for event in events}
    acts = [
        act
        for act in Act.objects.about(patient).of_kind(*ACTS).exclude(state="confirmed")
        if act.digest not in seen
    ]
    people = people_named_to(actor, _addresses(views, events, acts))
    titles = _titles(actor, {row.record for row in views} | {_record(event) for event in events})
    told = [_from_view(row, anchors.get(row.anchor), people, titles) for row in views]
    told += [_from_event(event, people, titles) for event in events]
    told += [_from_act(act, people, titles) for act in acts]
    return sorted(told, key=lambda line: line.at, reverse=True)[:lines]


def _from_view(
    row: ViewLog, anchor: Anchor | None, people: dict[str, Person], titles: dict[str, str]
) -> HistoryEntry:
    what, words = VIEWED[ViewLog.What(row.what)]
    line = _line(row.at, what, words, row.viewer, row.via, row.record, people, titles)
    if anchor is None:
        return line
    return replace(line, block_number=anchor.block_number, tx_hash=anchor.tx_hash)


def _from_event(event: Event, people: dict[str, Person], titles: dict[str, str]) -> HistoryEntry:
    what, words = WORDS[event.name]
    via = address_row(event.args.get("via", "")) if "via" in event.args else ""
    line = _line(event.block_time, what, words, event.author, via, _record(event), people, titles)
    return HistoryEntry(
        **{
            **vars(line),
            "words": _towards(words, event.args, people),
            "state": "confirmed" if event.applied else "waiting",
            "block_number": event.block_number,
            "tx_hash": event.tx_hash,
        }
    )


def _from_act(act: Act, people: dict[str, Person], titles: dict[str, str]) -> HistoryEntry:
    what, words = WORDS[ACTS[act.kind]]
    via = address_row(act.fields.get("via", "")) if "via" in act.fields else ""
    record = act_record(act) if act.kind in ("NewRecord", "ModifyRecord", "CloseRecord") else ""
    line = _line(act.created_at, what, words, act.author, via, record, people, titles)
    return HistoryEntry(
        **{**vars(line), "words": _towards(words, act.fields, people), "state": act_state(act)}
    )


def _line(
    at: datetime,
    what: str,
    words: str,
    who: str,
    via: str,
    record: str,
    people: dict[str, Person],
    titles: dict[str, str],
) -> HistoryEntry:
    return HistoryEntry(
        at=at,
        what=what,
        words=words,
        who=who,
        who_name=people[who].name,
        via=via,
        via_name=people[via].name if via else "",
        record=record,
        title=titles.get(record, ""),
        state="confirmed",
    )


def _towards(words: str, args: dict[str, str], people: dict[str, Person]) -> str:
    grantee = args.get("grantee") or args.get("sender")
    return f"{words}: {people[grantee].name}" if grantee in people else words


def _record(event: Event) -> str:
    named: str = event.args.get("record", "")
    return "" if named == ZERO_WORD else named


def _addresses(views: list[ViewLog], events: list[Event], acts: list[Act]) -> set[str]:
    found = {address for row in views for address in (row.viewer, row.via)}
    for fields in [event.args for event in events] + [act.fields for act in acts]:
        for name in ("author", "via", "grantee", "sender"):
            found.add(address_row(fields.get(name, "")))
    return found - {""}


def _titles(actor: Actor, records: set[str]) -> dict[str, str]:
    keyring = Keyring(actor, actor.address)
    states = states_of(Record.objects.filter(pk__in=records - {""}, patient=actor.address))
    keyring.load(states.values(), latest_only=True)
    titles = {}
    for record, state in states.items():
        opened = keyring.open_latest(state)
        if opened is not None:
            titles[record] = opened.description.title
    return titles
