"""Records as they stand: confirmed versions from the projection, joined with acts not confirmed (yet)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat

from accounts.models import Errand
from chain.contract.slots import record_id, slot_close, slot_record
from chain.models import Act
from chain.models.bulk import rows_in
from records import erasing
from records.chain_words import address_row
from records.models import Record, Version
from records.shapes import ActState

SEND_AGAIN = erasing.SEND_AGAIN
CLOSED_WORDS = {0: "", 1: "refused", 2: "entered in error", 3: "withdrawn"}


@dataclass(frozen=True)
class VersionState:
    """A version as chain or outbox has it. `secret` has 40 bytes (wrapped key) or 32 (digest of a list)."""

    record: str
    patient: str
    version: int
    author: str
    via: str
    folder: int
    epoch: int
    flags: int
    content: str
    description: str
    secret: str
    at: datetime
    state: ActState = "confirmed"
    act: str = ""
    error: str = ""
    block_number: int | None = None
    tx_hash: str = ""

    @property
    def wrapped(self) -> bool:
        """Return whether the secret is a data key wrapped under the folder key."""
        return len(self.secret) == 82


@dataclass
class RecordState:
    """A record with every version known, oldest first."""

    record: str
    patient: str
    author: str
    via: str
    closed: int
    nonce: str
    versions: list[VersionState] = field(default_factory=list)

    @property
    def latest(self) -> VersionState:
        """The newest version, confirmed or not."""
        return self.versions[-1]

    def standing(self) -> "RecordState | None":
        """Return the same without versions that the chain refused, or None if nothing is left."""
        left = [one for one in self.versions if one.state != "failed"]
        return replace(self, versions=left) if left else None

    @property
    def confirmed(self) -> VersionState | None:
        """The newest confirmed version."""
        done = [one for one in self.versions if one.state == "confirmed"]
        return done[-1] if done else None

    @property
    def shown(self) -> list[VersionState]:
        """Versions that differ in content or description from the one before: re-wrapping is not shown."""
        kept: list[VersionState] = []
        for one in self.versions:
            if kept and (kept[-1].content, kept[-1].description) == (one.content, one.description):
                continue
            kept.append(one)
        return kept


def record_acts(*, patient: str, author: str | None = None, inbox: bool = True) -> list[Act]:
    """Acts on a patient's records that the chain has not confirmed: waiting, or refused and to be decided."""
    found = Act.objects.about(patient).of_kind("NewRecord", "ModifyRecord").filter(_open())
    if not inbox:
        found = found.exclude(kind="NewRecord", fields__folder=0)
    return _unsettled(found if author is None else found.by(author))


def inbox_records(patient: str) -> QuerySet[Record]:
    """Confirmed records that wait to be filed or refused, without those that are on their way to a folder."""
    slot, close = Concat(Value("record:"), OuterRef("pk")), Concat(Value("close:"), OuterRef("pk"))
    moves = Act.objects.waiting().of_kind("ModifyRecord").filter(slot=slot, author=patient)
    closing = Act.objects.waiting().of_kind("CloseRecord").filter(slot=close)
    left = Record.objects.filter(patient=patient, folder=0, closed=0)
    return left.filter(~Exists(moves.exclude(fields__folder=0)), ~Exists(closing))


def inbox_acts(patient: str, records: Iterable[Record], *, newest: int) -> list[Act]:
    """Return unconfirmed acts on these records of the inbox, and the newest records that come into it."""
    found = Act.objects.about(patient).of_kind("NewRecord", "ModifyRecord").filter(_open())
    coming = found.filter(kind="NewRecord", fields__folder=0).order_by("-created_at")[:newest]
    slots = [slot_record(row.record) for row in records]
    return _unsettled(found.filter(slot__in=slots)) + _unsettled(coming)


def states_of(records: Iterable[Record], acts: Iterable[Act] = ()) -> dict[str, RecordState]:
    """These confirmed records with all versions, and the records and versions that the acts would make."""
    states = {
        row.record: RecordState(row.record, row.patient, row.author, row.via, row.closed, row.nonce)
        for row in records
    }
    for version in rows_in(Version.objects.order_by("version"), "record", states):
        state = states[version.record_id]
        state.versions.append(_from_row(state.patient, version))
    for act in acts:
        _add_act(states, act)
    closing = Act.objects.waiting().of_kind("CloseRecord")
    for act in rows_in(closing, "slot", [slot_close(record) for record in states]):
        states[act.fields["record"]].closed = act.fields["reason"]
    return {record: state for record, state in states.items() if state.versions}


def state_of(record: str) -> RecordState | None:
    """One record, with what waits on it. None if nobody knows it. Asks nothing about access.

    What is not found is looked for again: it may have gone over from what waits to what is confirmed between
    the two questions.
    """
    return _state_of(record) or _state_of(record)


def _state_of(record: str) -> RecordState | None:
    rows = list(Record.objects.filter(pk=record))
    acts = Act.objects.filter(_open(), slot=slot_record(record))
    return states_of(rows, _unsettled(acts)).get(record)


def act_record(act: Act) -> str:
    """The record that an act on records is about."""
    named: str = act.fields.get("record") or record_id(act.author, act.fields["nonce"])
    return named


def new_state(act: Act) -> RecordState:
    """The record that a NewRecord act would make, of which nothing else is known yet."""
    states: dict[str, RecordState] = {}
    _add_act(states, act)
    return states[act_record(act)]


def version_of(act: Act) -> VersionState:
    """The version that an act on records would make, whatever became of the act."""
    return _from_act(act_record(act), act, act.fields.get("version", 1))


def act_state(act: Act) -> ActState:
    """An act's state in the three words that people read."""
    if act.state == "confirmed":
        return "confirmed"
    return "waiting" if act.state == "waiting" else "failed"


def _open() -> Q:
    return ~Q(state="confirmed")


def _unsettled(acts: QuerySet[Act]) -> list[Act]:
    """Without those whose author has decided what becomes of them (sent again, or dropped)."""
    found = list(acts)
    failed = [act.digest for act in found if act_state(act) == "failed"]
    decided = Errand.objects.filter(kind=SEND_AGAIN, subject__in=failed).exclude(state=Errand.State.OPEN)
    gone = set(decided.values_list("subject", flat=True)) if failed else set()
    return [act for act in found if act.digest not in gone]


def _add_act(states: dict[str, RecordState], act: Act) -> None:
    fields, record = act.fields, act_record(act)
    state = states.get(record)
    if state is None:
        if act.kind != "NewRecord":
            return
        via = address_row(fields["via"])
        state = RecordState(record, fields["patient"], act.author, via, 0, fields["nonce"])
        states[record] = state
    number = fields.get("version", 1)
    if any(one.version == number and one.state != "failed" for one in state.versions):
        return
    state.versions = [one for one in state.versions if one.version != number]
    state.versions.append(_from_act(record, act, number))
    state.versions.sort(key=lambda one: one.version)


def _from_row(patient: str, row: Version) -> VersionState:
    return VersionState(
        record=row.record_id,
        patient=patient,
        version=row.version,
        author=row.author,
        via=row.via,
        folder=row.folder,
        epoch=row.epoch,
        flags=row.flags,
        content=row.content,
        description=row.description,
        secret=row.secret,
        at=row.at,
        block_number=row.block_number,
        tx_hash=row.tx_hash,
    )


def _from_act(record: str, act: Act, number: int) -> VersionState:
    fields = act.fields
    return VersionState(
        record=record,
        patient=fields["patient"],
        version=number,
        author=act.author,
        via=address_row(fields["via"]),
        folder=fields["folder"],
        epoch=fields["epoch"],
        flags=fields["flags"],
        content=fields["content"],
        description=fields["description"],
        secret=fields["secret"],
        at=act.created_at,
        state=act_state(act),
        act=str(act.pk),
        error=act.error,
        block_number=None,
    )
