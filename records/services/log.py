"""The access history: every look at a record, and every step of consent, in one line of time.

A step has the block and transaction it stands in; a look those of its anchor, once that is confirmed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from accounts.actor import Actor
from accounts.directory import Person
from chain.contract.abi import ACT_OF_EVENT
from chain.models import Act, Event
from records.chain_words import ZERO_WORD, address_row
from records.errors import NotFound
from records.models import Anchor, Record, ViewLog
from records.services.history_rows import ACTS, EVENTS, VIEWS, HistoryFilter, HistoryRow, history_rows
from records.services.keyring import keyring_to
from records.services.naming import people_named_to
from records.services.states import act_record, act_state, states_of
from records.shapes import HistoryEntry

__all__ = ["HistoryFilter", "HistoryPage", "access_history", "every_line", "was_opened"]

PAGE = 50
EXPORTED = 500
STEPS = {
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
EVENT_OF_ACT = {ACT_OF_EVENT[event]: event for event in STEPS}
VIEWED = {
    ViewLog.What.CONTENT: ("viewed", "opened a record"),
    ViewLog.What.LIST: ("listed", "looked at the list"),
}


@dataclass(frozen=True)
class HistoryPage:
    """Lines, newest first, and the cursor of those that follow ("" when there are none)."""

    lines: list[HistoryEntry]
    older: str = ""


def access_history(
    *, actor: Actor, patient: str, chosen: HistoryFilter | None = None, cursor: str = "", size: int = PAGE
) -> HistoryPage:
    """A page of the access history, the newest without a cursor; only the patient sees it.

    Raises NotFound, InvalidInput (no such page), VaultClosed.
    """
    if actor.address != patient:
        raise NotFound("Only the patient sees the access history.")
    rows = history_rows(patient, chosen or HistoryFilter(), cursor, size + 1)
    shown = rows[:size]
    return HistoryPage(_told(actor, shown), shown[-1].cursor if len(rows) > size else "")


def every_line(*, actor: Actor, patient: str) -> Iterator[list[HistoryEntry]]:
    """The whole access history, each look by itself, some lines at a time: for what goes out meanwhile."""
    cursor, more = "", True
    while more:
        page = access_history(actor=actor, patient=patient, cursor=cursor, size=EXPORTED)
        cursor, more = page.older, bool(page.older)
        yield page.lines


def was_opened(*, patient: str, record: str) -> bool:
    """Whether anybody has ever opened this record through this portal."""
    looks = ViewLog.objects.filter(patient=patient, record=record, what=ViewLog.What.CONTENT)
    return looks.exists()


def _told(actor: Actor, rows: list[HistoryRow]) -> list[HistoryEntry]:
    """The rows with names, titles and blocks, which are fetched for all of them at once."""
    views = [row for row in rows if row.source == VIEWS]
    events = {str(pk): event for pk, event in Event.objects.in_bulk(_keys(rows, EVENTS)).items()}
    acts = {str(act.pk): act for act in Act.objects.filter(pk__in=map(str, _keys(rows, ACTS)))}
    named = {row.values["record"] for row in views} | {_record(event) for event in events.values()}
    words = _Words(
        people=people_named_to(actor, _addresses(views, [*events.values()], [*acts.values()])),
        titles=_titles(actor, named | {_record_of_act(act) for act in acts.values()}),
        anchors=_anchors(views),
    )
    lines = []
    for row in rows:
        if row.source == VIEWS:
            line = words.of_view(row)
        elif row.source == EVENTS:
            line = words.of_event(events[str(row.key)])
        else:
            line = words.of_act(acts[str(UUID(str(row.key)))])
        lines.append(replace(line, count=row.count, first_at=row.oldest_at))
    return lines


def _keys(rows: list[HistoryRow], source: int) -> list[int | str]:
    return [row.key for row in rows if row.source == source]


def _anchors(views: list[HistoryRow]) -> dict[int, Anchor]:
    """By position of the newest of a line's looks, the anchor that covers it, where all of them have one."""
    places = [row.values["last_position"] for row in views if row.values["placed"] == row.count]
    rows = ViewLog.objects.filter(position__in=[place for place in places if place is not None])
    covering = dict(rows.with_anchor().values_list("position", "anchor"))
    anchors = Anchor.objects.in_bulk([pk for pk in covering.values() if pk])
    return {place: anchors[pk] for place, pk in covering.items() if pk}


@dataclass(frozen=True)
class _Words:
    """What the rows of a page are told with."""

    people: dict[str, Person]
    titles: dict[str, str]
    anchors: dict[int, Anchor]

    def of_view(self, row: HistoryRow) -> HistoryEntry:
        """A look, or several of one viewer at one thing."""
        look = row.values
        action, text = VIEWED[ViewLog.What(look["what"])]
        line = self._line(row.newest_at, action, text, look["viewer"], look["via"], look["record"])
        anchor = self.anchors.get(look["last_position"])
        if anchor is None:
            return line
        return replace(line, block_number=anchor.block_number, tx_hash=anchor.tx_hash)

    def of_event(self, event: Event) -> HistoryEntry:
        """A step that the chain tells."""
        action, text = STEPS[event.name]
        line = self._line(
            event.block_time,
            action,
            _towards(text, event.args, self.people),
            event.author,
            address_row(event.args.get("via", "")),
            _record(event),
        )
        return replace(
            line,
            state="confirmed" if event.applied else "waiting",
            block_number=event.block_number,
            tx_hash=event.tx_hash,
        )

    def of_act(self, act: Act) -> HistoryEntry:
        """A step that waits for the chain, or was refused."""
        action, text = STEPS[EVENT_OF_ACT[act.kind]]
        text = _towards(text, act.fields, self.people)
        via = address_row(act.fields.get("via", ""))
        line = self._line(act.created_at, action, text, act.author, via, _record_of_act(act))
        return replace(line, state=act_state(act))

    def _line(self, at: datetime, action: str, text: str, agent: str, via: str, record: str) -> HistoryEntry:
        return HistoryEntry(
            at=at,
            action=action,
            text=text,
            agent=agent,
            agent_name=self.people[agent].name,
            via=via,
            via_name=self.people[via].name if via else "",
            record=record,
            title=self.titles.get(record, ""),
            state="confirmed",
        )


def _towards(text: str, args: dict[str, str], people: dict[str, Person]) -> str:
    grantee = args.get("grantee") or args.get("sender")
    return f"{text}: {people[grantee].name}" if grantee in people else text


def _record(event: Event) -> str:
    named: str = event.args.get("record", "")
    return "" if named == ZERO_WORD else named


def _record_of_act(act: Act) -> str:
    return act_record(act) if act.kind in ("NewRecord", "ModifyRecord", "CloseRecord") else ""


def _addresses(views: list[HistoryRow], events: list[Event], acts: list[Act]) -> set[str]:
    found = {address for row in views for address in (row.values["viewer"], row.values["via"])}
    for fields in [event.args for event in events] + [act.fields for act in acts]:
        for name in ("author", "via", "grantee", "sender"):
            found.add(address_row(fields.get(name, "")))
    return found - {""}


def _titles(actor: Actor, records: set[str]) -> dict[str, str]:
    keyring = keyring_to(actor, actor.address)
    states = states_of(Record.objects.filter(pk__in=records - {""}, patient=actor.address))
    keyring.load(states.values(), latest_only=True)
    titles = {}
    for record, state in states.items():
        opened = keyring.open_latest(state)
        if opened is not None:
            titles[record] = opened.description.title
    return titles
