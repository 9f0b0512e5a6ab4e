"""Which files events name that concern this portal: those of its patients, and of grants to its doctors."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from accounts.directory import known_accounts
from accounts.models import Account
from chain.contract.slots import folder_of_scope, folder_scope
from chain.indexer.archive import named_digests
from chain.models import Event
from chain.models.bulk import rows_in
from records.arrivals import WantedFile, has_peers, want_files
from records.models import Blob, EnvelopeList, Fetch, Grant, Holding, Record, Request, Version

COMPARED_AT_ONCE = 1000  # rows of each kind
GRANTED_AT_ONCE = 5000  # versions of one grant, the newest
_LIST_DIGEST = 66  # characters of a version's secret that is the digest of a list

CONTENT, DESCRIPTION, LIST, NAME = (
    Fetch.Kind.CONTENT,
    Fetch.Kind.DESCRIPTION,
    Fetch.Kind.LIST,
    Fetch.Kind.NAME,
)


def want_records(events: Sequence[Event]) -> None:
    """Versions of patients of this portal, and of what patients elsewhere share with its doctors."""
    if not has_peers():
        return
    ours = known_accounts(event["patient"] for event in events)
    shared = _shared_with_us({event["patient"] for event in events} - ours)
    files: list[WantedFile] = []
    for event in events:
        scopes = {(event["patient"], folder_scope(event["folder"])), (event["patient"], event["record"])}
        if event["patient"] in ours or scopes & shared:
            files += _version_files(
                event["patient"], {**event.args, "author": event.author, "record": event["record"]}
            )
    want_files(files)


def want_consent(events: Sequence[Event]) -> None:
    """Lists and names in acts to which an account of this portal is party."""
    if not has_peers():
        return
    requesters = _requesters(events)
    parties = [_parties(event, requesters) for event in events]
    ours = known_accounts(address for some in parties for address in some)
    rekeys = [event for event in events if event.name == "FolderRekeyed"]
    shared = _shared_with_us({event.author for event in rekeys} - ours)
    files = []
    for event, some in zip(events, parties, strict=True):
        scope = folder_scope(event["folder"]) if event.name == "FolderRekeyed" else ""
        if some & ours or (event.author, scope) in shared:
            kind = NAME if event.name == "FolderNamed" else LIST
            for digest in named_digests(event.args):
                files.append(WantedFile(digest, kind, patient=event.subject, author=event.author))
    want_files(files)


def want_granted(events: Sequence[Event]) -> None:
    """What a patient elsewhere shares with a doctor or an institution of this portal from now on."""
    if not has_peers():
        return
    ours = known_accounts(address for event in events for address in (event.author, event["grantee"]))
    for event in events:
        if event["grantee"] in ours and event.author not in ours:
            folder = folder_of_scope(event["scope"])
            records = Record.objects.filter(patient=event.author)
            covered = records.filter(pk=event["scope"]) if folder is None else records.filter(folder=folder)
            versions = Version.objects.filter(record__in=covered).order_by("-block_number")
            want_files(_files_of_rows(versions[:GRANTED_AT_ONCE]))


def compare_files() -> None:
    """Note what the tables name and no table of files knows: of accounts that are new here, above all."""
    patients = Account.objects.filter(kind=Account.Kind.PATIENT).values("address")
    versions = Version.objects.filter(record__patient__in=patients)
    sealed = versions.annotate(size=Length("secret")).filter(size=_LIST_DIGEST)
    for rows in (
        _unknown(versions, "content"),
        _unknown(versions, "description"),
        _unknown(sealed, "secret"),
    ):
        want_files(_files_of_rows(rows))
    accounts = Account.objects.values("address")
    grants = Grant.objects.filter(Q(patient__in=patients) | Q(grantee__in=accounts), ended=Grant.Ended.NO)
    asked = Request.objects.filter(patient__in=patients, state=Request.State.OPEN)
    lists = [(row.envelopes, row.patient, row.patient) for row in _unknown(grants, "envelopes")]
    lists += [(row.envelopes, row.patient, row.author) for row in _unknown(asked, "envelopes")]
    want_files(WantedFile(digest, LIST, patient, author) for digest, patient, author in lists if digest)


def _unknown(rows: QuerySet[Any], field: str) -> QuerySet[Any]:
    tables = (Holding, Blob, Fetch)
    known = [Exists(table.objects.filter(pk=OuterRef(field))) for table in tables]
    listed = Exists(EnvelopeList.objects.filter(digest=OuterRef(field)))
    return rows.filter(*(~each for each in (*known, listed)))[:COMPARED_AT_ONCE]


def _files_of_rows(versions: Iterable[Version]) -> Iterator[WantedFile]:
    for row in versions:
        yield from _version_files(row.record.patient, {**vars(row), "record": row.record_id})


def _version_files(patient: str, said: dict[str, Any]) -> list[WantedFile]:
    """A version's files, as an event's arguments or a row say it."""
    author, record = said["author"], said["record"]
    files = [
        WantedFile(said["description"], DESCRIPTION, patient, author),
        WantedFile(said["content"], CONTENT, patient, author, record, dag_pb=bool(said["flags"] & 1)),
    ]
    if len(said["secret"]) == _LIST_DIGEST:
        files.append(WantedFile(said["secret"], LIST, patient, author))
    return files


def _shared_with_us(patients: set[str]) -> set[tuple[str, str]]:
    """(patient, scope) of grants in force that these patients gave to accounts of this portal."""
    standing = Grant.objects.filter(ended=Grant.Ended.NO, expiry__gt=timezone.now())
    grants = list(rows_in(standing, "patient", patients))
    ours = known_accounts(grant.grantee for grant in grants)
    return {(grant.patient, grant.scope) for grant in grants if grant.grantee in ours}


def _requesters(events: Sequence[Event]) -> dict[str, str]:
    """Who sent the requests that these events refuse."""
    denied = {event["request"] for event in events if event.name == "AccessDenied"}
    return {row.pk: row.author for row in rows_in(Request.objects.only("author"), "pk", denied)}


def _parties(event: Event, requesters: dict[str, str]) -> set[str]:
    named = {event.author, event.subject, event.args.get("grantee", "")}
    return (named | {requesters.get(event.args.get("request", ""), "")}) - {""}
