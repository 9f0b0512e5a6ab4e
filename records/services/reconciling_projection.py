"""Whether the projections of directory, records and consent are what contract and events say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Model, OuterRef, QuerySet
from eth_utils.crypto import keccak

from accounts.models import Admission, Affiliation, PublishedKey
from chain.models import Event, SignerState
from chain.reconcile.run import Check, Finding, RunOptions, row_chunks
from chain.reconcile.state import RESYNC, Getter, Values
from records.chain_words import address_field, address_row, moment, raw, word, word_row
from records.models import Anchor, BlockedSender, FolderState, Grant, Record, Rekey, Request, Version

# --- against the contract's getters ------------------------------------------------------------------------


def _keys(rows: list[PublishedKey]) -> Iterator[Values]:
    for row in rows:
        yield row.version, word(keccak(bytes(row.key)))


def _admissions(rows: list[Admission]) -> Iterator[Values]:
    for row in rows:
        yield row.admitted, row.serial


def _affiliations(rows: list[Affiliation]) -> Iterator[Values]:
    for row in rows:
        yield row.affiliated, row.serial


def _affiliation_key(event: Event) -> Values:
    args = event.args
    return args.get("institution", args["author"]), args.get("doctor", args["author"])


def _folders(rows: list[FolderState]) -> Iterator[Values]:
    """A folder's epoch is never below its patient's generation, which its row need not know."""
    states = SignerState.objects.filter(account__in={row.patient for row in rows})
    generations = dict(states.values_list("account", "generation"))
    for row in rows:
        yield max(row.epoch, generations.get(row.patient, 0) << 16), row.name_serial


def _records(rows: list[Record]) -> Iterator[Values]:
    found = Version.objects.filter(record__in=rows).values_list("record_id", "version", "flags")
    flags = {(record, version): value for record, version, value in found}
    for row in rows:
        flag = flags.get((row.record, row.version), "no version")
        yield row.patient, row.folder, row.epoch, row.version, flag, bool(row.closed)


def _requests(rows: list[Request]) -> Iterator[Values]:
    for row in rows:
        yield row.patient, 1 if row.state == Request.State.OPEN else 2


def _anchors(rows: list[Anchor]) -> Iterator[Values]:
    for row in rows:
        yield (row.size,)


def _blocks(rows: list[BlockedSender]) -> Iterator[Values]:
    for row in rows:
        yield row.blocked, row.serial


def _grants(rows: list[Grant]) -> Iterator[Values]:
    for row in rows:
        if row.ended or row.not_before is None or row.expiry is None:
            yield 0, row.serial
        else:
            yield row.permissions, row.serial, row.not_before, row.expiry, row.epoch, row.affiliation_serial


def _grant_answer(answer: Values) -> Values:
    permissions, not_before, expiry, serial, epoch, affiliation = answer
    return permissions, serial, moment(not_before), moment(expiry), epoch, affiliation


_newer = PublishedKey.objects.filter(account=OuterRef("account"), version__gt=OuterRef("version"))
KEYS = Getter(
    "keyOf",
    PublishedKey.objects.filter(~Exists(_newer)),
    lambda row: (row.account,),
    _keys,
    ("KeyPublished", "KeysReplaced"),
    ("account",),
    lambda event: (event.author,),
)
ADMISSIONS = Getter(
    "institutionOf",
    Admission.objects.all(),
    lambda row: (row.institution,),
    _admissions,
    ("InstitutionAdmitted",),
    ("institution",),
    lambda event: (event["institution"],),
)
AFFILIATIONS = Getter(
    "affiliationOf",
    Affiliation.objects.all(),
    lambda row: (row.institution, row.doctor),
    _affiliations,
    ("DoctorAffiliated", "InstitutionLeft"),
    ("institution", "doctor"),
    _affiliation_key,
)
FOLDERS = Getter(
    "folderOf",
    FolderState.objects.all(),
    lambda row: (row.patient, row.folder),
    _folders,
    ("FolderNamed", "FolderRekeyed"),
    ("patient", "folder"),
    lambda event: (event.author, event["folder"]),
)
RECORDS = Getter(
    "recordOf",
    Record.objects.all(),
    lambda row: (row.record,),
    _records,
    ("RecordAdded",),
    ("record",),
    lambda event: (event["record"],),
)
REQUESTS = Getter(
    "requestOf",
    Request.objects.all(),
    lambda row: (row.request,),
    _requests,
    ("AccessRequested",),
    ("request",),
    lambda event: (event["request"],),
)
GRANTS = Getter(
    "grantOf",
    Grant.objects.all(),
    lambda row: (row.patient, row.grantee, address_field(row.via), row.scope),
    _grants,
    ("AccessGranted", "AccessRevoked"),
    ("patient", "grantee", "via", "scope"),
    lambda event: (event.author, event["grantee"], address_row(event["via"]), event["scope"]),
    _grant_answer,
)
BLOCKS = Getter(
    "blockedOf",
    BlockedSender.objects.all(),
    lambda row: (row.patient, row.sender),
    _blocks,
    ("SenderBlocked",),
    ("patient", "sender"),
    lambda event: (event.author, event["sender"]),
)

_later = Anchor.objects.filter(author=OuterRef("author"), log=OuterRef("log"), size__gt=OuterRef("size"))
LOGS = Getter(
    "logOf",
    Anchor.objects.filter(~Exists(_later)),
    lambda row: (row.author, row.log),
    _anchors,
    ("LogAnchored",),
    ("author", "log"),
    lambda event: (event.author, event["log"]),
)

# --- against the events: what the contract does not keep ---------------------------------------------------


@dataclass(frozen=True)
class Told:
    """Columns that come from an event as they are.

    A row is found by its `key` columns, which are what `key_of` tells; a missing one is a difference where
    `lasting`, else a later event may have replaced it.
    """

    events: tuple[str, ...]
    rows: "QuerySet[Any]"
    key: tuple[str, ...]
    key_of: Callable[[Event], Values]
    columns: Callable[[Event], dict[str, Any]]
    lasting: bool

    def compare(self, options: RunOptions) -> Iterator[Finding]:
        """Events whose row is missing or says something else."""
        for events in row_chunks(Event.objects.applied().named(*self.events), options):
            first = {f"{self.key[0]}__in": {self.key_of(event)[0] for event in events}}
            rows = {tuple(getattr(row, name) for name in self.key): row for row in self.rows.filter(**first)}
            for event in events:
                if problem := self._differs(event, rows.get(self.key_of(event))):
                    yield Finding(f"event {event.pk}", problem)

    def _differs(self, event: Event, row: Model | None) -> str:
        if row is None:
            return f"{event.name} has left no row" if self.lasting else ""
        found = {name: getattr(row, name) for name in self.columns(event)}
        wrong = [name for name, value in self.columns(event).items() if _plain(found[name]) != value]
        label = f"{row._meta.verbose_name} {row.pk}"
        return f"{label} differs from {event.name} in {', '.join(wrong)}" if wrong else ""


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _version_columns(event: Event) -> dict[str, Any]:
    same = ("author", "folder", "epoch", "flags", "content", "description", "secret")
    return {name: event[name] for name in same} | {"via": address_row(event["via"])}


VERSIONS = Told(
    ("RecordAdded", "RecordModified"),
    Version.objects.all(),
    ("record_id", "version"),
    lambda event: (event["record"], event.number),
    _version_columns,
    lasting=True,
)
GRANTED = Told(
    ("AccessGranted",),
    Grant.objects.filter(ended=Grant.Ended.NO),
    ("patient", "grantee", "via", "scope", "serial"),
    lambda event: (*GRANTS.key_of(event), event.number),
    lambda event: {"envelopes": event["envelopes"], "request": word_row(event["request"])},
    lasting=False,
)
REKEYED = Told(
    ("FolderRekeyed",),
    Rekey.objects.all(),
    ("patient", "folder", "epoch"),
    lambda event: (event.author, event["folder"], event["toEpoch"]),
    lambda event: {"envelopes": event["envelopes"]},
    lasting=True,
)
NAMED = Told(
    ("FolderNamed",),
    FolderState.objects.all(),
    ("patient", "folder", "name_serial"),
    lambda event: (event.author, event["folder"], event.number),
    lambda event: {"name": event["name"]},
    lasting=False,
)
REQUESTED = Told(
    ("AccessRequested",),
    Request.objects.all(),
    ("request",),
    lambda event: (event["request"],),
    lambda event: {"author": event.author, "envelopes": event["envelopes"], "nonce": event["nonce"]},
    lasting=True,
)
PUBLISHED = Told(
    ("KeyPublished", "KeysReplaced"),
    PublishedKey.objects.all(),
    ("account", "version"),
    lambda event: (event.author, event["version"]),
    lambda event: {"key": raw(event["key"]), "digest": word(keccak(raw(event["key"])))},
    lasting=True,
)
ANCHORED = Told(
    ("LogAnchored",),
    Anchor.objects.all(),
    ("size", "author", "log"),
    lambda event: (event.number, event.author, event["log"]),
    lambda event: {"root": event["root"], "act": event.act_digest, "tx_hash": event.tx_hash},
    lasting=True,
)


def compare_events(options: RunOptions) -> Iterator[Finding]:
    """What the contract does not keep: digests of files and envelopes, names, roots, older keys."""
    for told in (VERSIONS, GRANTED, REKEYED, NAMED, REQUESTED, PUBLISHED, ANCHORED):
        yield from told.compare(options)


CHECKS = (
    Check("R301", "sharing keys are not what the contract says", KEYS.compare, RESYNC),
    Check("R302", "admissions are not what the contract says", ADMISSIONS.compare, RESYNC),
    Check("R303", "affiliations are not what the contract says", AFFILIATIONS.compare, RESYNC),
    Check("R304", "folders are not what the contract says", FOLDERS.compare, RESYNC),
    Check("R305", "records are not what the contract says", RECORDS.compare, RESYNC),
    Check("R306", "requests are not what the contract says", REQUESTS.compare, RESYNC),
    Check("R307", "grants are not what the contract says", GRANTS.compare, RESYNC),
    Check("R308", "refused senders are not what the contract says", BLOCKS.compare, RESYNC),
    Check("R309", "rows differ from the events that made them", compare_events, RESYNC),
    Check("R310", "anchors are not what the contract says", LOGS.compare, RESYNC),
)
