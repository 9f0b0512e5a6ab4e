"""Records as pages and API show them: opened, named, with their state."""

import math
from collections.abc import Iterable
from datetime import datetime

from accounts.directory import Person
from records.chain_words import raw
from records.kinds import KINDS
from records.services.folders import folder_names
from records.services.keyring import Keyring, Opening
from records.services.naming import people_named_to
from records.services.states import CLOSED_WORDS, RecordState, VersionState
from records.shapes import RecordView, VersionView
from records.storage.cid import Cid

NEWEST_CLOSED = "The newest version of this record cannot be opened."
FORMER_TRIED = 5
FORMER_OPENS = "The versions before it can."


def _beginning(state: RecordState) -> tuple[datetime, float]:
    """When a record began, to sort by: blocks may have the same second, and what waits comes after them."""
    first = state.versions[0]
    return first.at, math.inf if first.block_number is None else first.block_number


def record_views(
    keyring: Keyring, states: Iterable[RecordState], *, versions: bool = False
) -> list[RecordView]:
    """Views of these records, newest first; with every version that opens, if asked."""
    found = sorted(states, key=_beginning, reverse=True)
    keyring.load(found, latest_only=True)
    people = people_named_to(keyring.actor, _addresses(found))
    names = folder_names(keyring, sorted({state.latest.folder for state in found}))
    writable = _writable(keyring, found)
    return [
        _record_view(
            keyring, state, people, names, can_write=state.record in writable, with_versions=versions
        )
        for state in found
    ]


def _record_view(
    keyring: Keyring,
    state: RecordState,
    people: dict[str, Person],
    names: dict[int, str],
    *,
    can_write: bool,
    with_versions: bool,
) -> RecordView:
    latest = state.latest
    opening = keyring.try_latest(state)
    opened = opening.opened
    description = opened.description if opened else None
    why = opening.readability
    former = _former_title(keyring, state, opening)
    way = "" if former else "close" if latest.folder else "refuse"
    advice = why.advice(own=keyring.own, way=way)
    first = state.versions[0]
    return RecordView(
        record=state.record,
        patient=state.patient,
        patient_name=people[state.patient].name_if_known,
        author=state.author,
        author_name=people[state.author].name,
        via=state.via,
        via_name=people[state.via].name if state.via else "",
        folder=latest.folder,
        folder_name=names[latest.folder],
        version=latest.version,
        title=description.title if description else former or why.heading,
        kind=description.kind if description else "",
        kind_name=KINDS.get(description.kind, description.kind) if description else "",
        service_date=description.service_date if description else None,
        file_name=description.file_name if description else "",
        media_type=description.media_type if description else "",
        size=description.size if description else 0,
        state=latest.state,
        act=latest.act,
        error=latest.error,
        block_number=latest.block_number,
        tx_hash=latest.tx_hash,
        can_write=can_write and opened is not None,
        closed=CLOSED_WORDS[state.closed],
        created_at=first.at,
        readability=why,
        problem=NEWEST_CLOSED if former else why.problem,
        advice=f"{FORMER_OPENS} {advice}" if former else advice,
        versions=_version_views(keyring, state, people) if with_versions else [],
    )


def _former_title(keyring: Keyring, state: RecordState, opening: Opening) -> str:
    """The title that a record had before a version that does not open; empty where it had none.

    Who may write can add versions without end: the newest and the oldest few are tried.
    """
    if opening.opened is not None:
        return ""
    tried = (
        state.versions
        if len(state.versions) <= 2 * FORMER_TRIED
        else [*state.versions[:FORMER_TRIED], *state.versions[-FORMER_TRIED:]]
    )
    for version in reversed(tried[:-1]):
        former = keyring.try_version(state, version).opened
        if former is not None:
            return former.description.title
    return ""


def _version_views(keyring: Keyring, state: RecordState, people: dict[str, Person]) -> list[VersionView]:
    openings = keyring.try_all(state)
    return [
        _version_view(one, number, openings[one.version], people)
        for number, one in enumerate(state.shown, start=1)
    ]


def _version_view(one: VersionState, number: int, opening: Opening, people: dict[str, Person]) -> VersionView:
    description = opening.opened.description if opening.opened else None
    return VersionView(
        record=one.record,
        version=one.version,
        number=number,
        author=one.author,
        author_name=people[one.author].name,
        via=one.via,
        via_name=people[one.via].name if one.via else "",
        title=description.title if description else opening.readability.heading,
        kind=description.kind if description else "",
        kind_name=KINDS.get(description.kind, description.kind) if description else "",
        service_date=description.service_date if description else None,
        file_name=description.file_name if description else "",
        media_type=description.media_type if description else "",
        size=description.size if description else 0,
        content=str(Cid(raw(one.content), dag_pb=bool(one.flags & 1))),
        state=one.state,
        act=one.act,
        block_number=one.block_number,
        tx_hash=one.tx_hash,
        created_at=one.at,
        readability=opening.readability,
    )


def _addresses(states: list[RecordState]) -> set[str]:
    found: set[str] = set()
    for state in states:
        found |= {state.patient, state.author, state.via}
        for version in state.versions:
            found |= {version.author, version.via}
    return found - {""}


def _writable(keyring: Keyring, states: list[RecordState]) -> set[str]:
    if not keyring.actor.can_sign:
        return set()
    records = {state.record for state in states if not state.closed}
    if keyring.own or not records:
        return records
    return keyring.access.writable_among(records)
