"""Whether the store has what chain and outbox name, and nothing besides."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.directory import known_accounts
from accounts.models import Errand
from chain.contract.slots import slot_record
from chain.models import Act
from chain.reconcile.run import Check, Finding, Repair, RunOptions, row_chunks
from records.arrivals import LARGE
from records.chain_words import word
from records.content import DESCRIPTION_MAX, copy_blob, digest_of, read_blob, store
from records.crypto.errors import FileRefused
from records.crypto.mdr1 import plaintext_size
from records.erasing import erase_envelope
from records.holdings import KEPT, put_held
from records.models import Blob, Fetch, Holding, Version
from records.services.fetching import fetch_content
from records.services.states import SEND_AGAIN
from records.storage import Cid, LocalStore, Store
from records.storage.errors import ContentCorrupt, ContentNotFound, StorageError

COMES_WITHIN = timedelta(days=7)
"""How long a file from elsewhere is only waited for."""
RECORD_ACTS = ("NewRecord", "ModifyRecord")
NEW, STORED, DELETED = Blob.State.NEW, Blob.State.STORED, Blob.State.DELETED


def find_content_differences(options: RunOptions) -> Iterator[Finding]:
    """Contents of versions and of acts that wait which the store lacks, does not pin, or has damaged."""
    files, kept, others = store(), set(store().kept()), 0
    for named in _contents(options):
        for cid, source in named.items():
            problem, repair = _problem(files, cid, kept, deep=options.deep)
            if problem and _is_of_others(source, content=word(cid.digest)):
                others += 1
            elif problem:
                finding = Finding(f"content {cid}", f"{problem} ({_named(source)})", repair)
                foreign = _all_foreign(source, content=word(cid.digest))
                yield as_foreign(finding, cid.hex) if foreign else finding
    yield from _kept_by_others("contents", others)


def find_description_differences(options: RunOptions) -> Iterator[Finding]:
    """Descriptions of versions and of acts that wait which no list of records can show."""
    files, kept, others = store(), set(store().kept()), 0
    for named in _descriptions(options):
        rows = Blob.objects.filter(pk__in=named).values_list("digest", "state")
        states = dict(rows)
        for digest, source in named.items():
            cid, state = Cid.from_digest(digest), states.get(digest)
            if state in (NEW, STORED):
                continue  # its bytes are looked at with those of all blobs
            if state is not None:
                yield Finding(f"description {cid}", f"was erased ({_named(source)})")
            elif cid in kept or files.has(cid):
                what = f"is in the store, not in the database ({_named(source)})"
                yield Finding(f"description {cid}", what, _reading(digest))
            elif _is_of_others(source, description=digest):
                others += 1
            else:
                finding = Finding(f"description {cid}", f"is nowhere ({_named(source)})", _fetching(cid))
                foreign = _all_foreign(source, description=digest)
                yield as_foreign(finding, digest) if foreign else finding
    yield from _kept_by_others("descriptions", others)


def find_blob_differences(options: RunOptions) -> Iterator[Finding]:
    """Small ciphertexts that the store lacks though they are marked as stored, or has though erased."""
    files, kept = store(), set(store().kept())
    for part in row_chunks(_blobs(options), options):
        for row in part:
            cid = Cid.from_digest(row.digest)
            subject = f"blob {cid}"
            if row.state == STORED and cid not in kept:
                yield Finding(subject, "is marked as stored, and the store does not keep it", _again(row))
            elif row.state == DELETED and cid in kept:
                yield Finding(subject, "was erased here, and the store still has it", _erasing(cid))
            elif row.state == NEW and row.data is None:
                yield Finding(subject, "waits for the store without its bytes")
            elif options.deep and row.data is not None and digest_of(bytes(row.data)) != row.digest:
                yield Finding(subject, "has other bytes here than its digest says", _reloading(row))
            elif options.deep and row.state == STORED and _is_damaged(files, cid):
                yield Finding(subject, "has other bytes in the store than its CID says", _again(row))


def find_orphans(options: RunOptions) -> Iterator[Finding]:
    """What the store keeps and nothing here names. Only told: what this portal put is erased in time, what
    another one put is not ours."""
    unnamed = dict(
        Holding.objects.filter(state=KEPT).exclude(unnamed_since=None).values_list("pk", "unnamed_since")
    )
    named = {bytes.fromhex(digest[2:]) for digest in Blob.objects.values_list("pk", flat=True).iterator()}
    for content, description in Version.objects.values_list("content", "description").iterator():
        named |= {bytes.fromhex(content[2:]), bytes.fromhex(description[2:])}
    for fields in Act.objects.of_kind(*RECORD_ACTS).values_list("fields", flat=True).iterator():
        named |= {bytes.fromhex(fields["content"][2:]), bytes.fromhex(fields["description"][2:])}
    fetched = Fetch.objects.filter(state=Fetch.State.HERE).values_list("pk", flat=True)
    named |= {bytes.fromhex(digest[2:]) for digest in fetched.iterator()}
    for cid in store().kept():
        options.tick(1)
        if cid.hex in unnamed:
            since = f"{unnamed[cid.hex]:%Y-%m-%d %H:%M} UTC"
            what = f"is named by nothing since {since}; it goes after {settings.STORE_GRACE_DAYS:g} days"
            yield Finding(f"content {cid}", what, note=True)
        elif cid.digest not in named:
            yield Finding(f"content {cid}", "is kept, and nothing here names it", note=True)


CHECKS = (
    Check("R101", "contents are missing, not pinned or damaged", find_content_differences),
    Check("R102", "descriptions are missing", find_description_differences),
    Check("R103", "small ciphertexts differ between database and store", find_blob_differences),
    Check("R104", "the store keeps what nothing names", find_orphans),
)


def is_foreign(version: Version) -> bool:
    """Whether another portal or wallet made this version: no act of this portal's outbox did."""
    acts = Act.objects.confirmed().filter(slot=slot_record(version.record_id), number=version.version)
    return not acts.exists()


def as_foreign(finding: Finding, digest: str) -> Finding:
    """Return a finding of what was made elsewhere: a note while a worker tries to bring the file here."""
    row = Fetch.objects.filter(pk=digest).exclude(state=Fetch.State.HERE).first()
    if row is None or (row.error != LARGE and row.since < timezone.now() - COMES_WITHIN):
        return replace(finding, foreign=True)
    how = LARGE if row.error == LARGE else f"It is to be fetched since {row.since:%Y-%m-%d %H:%M} UTC."
    return replace(finding, what=f"{finding.what}. {how}", note=True)


def _all_foreign(source: Version | Act, **named: str) -> bool:
    """Whether none of the versions that name a digest was made here.

    Anybody can name the digest of somebody else's bytes, and so a loss of ours must not look like theirs.
    """
    if isinstance(source, Act):
        return False
    return all(map(is_foreign, Version.objects.filter(**named)))


def _is_of_others(source: Version | Act, **named: str) -> bool:
    """Whether these bytes are another portal's alone: made there, and of patients who are not here."""
    if not _all_foreign(source, **named):
        return False
    patients = Version.objects.filter(**named).values_list("record__patient", flat=True)
    return not known_accounts(patients)


def _kept_by_others(what: str, count: int) -> Iterator[Finding]:
    if count:
        said = f"{count:,} of records of patients who are not here are kept where they were made, not here"
        yield Finding(what, said, note=True)


def _contents(options: RunOptions) -> Iterator[dict[Cid, Version | Act]]:
    """CIDs of contents, each with what names it, some at a time."""
    for versions in row_chunks(Version.objects.all(), options):
        yield {Cid.from_digest(row.content, dag_pb=bool(row.flags & 1)): row for row in versions}
    for acts in row_chunks(_open_acts(), options):
        yield {
            Cid.from_digest(act.fields["content"], dag_pb=bool(act.fields["flags"] & 1)): act for act in acts
        }


def _descriptions(options: RunOptions) -> Iterator[dict[str, Version | Act]]:
    for versions in row_chunks(Version.objects.all(), options):
        yield {row.description: row for row in versions}
    for acts in row_chunks(_open_acts(), options):
        yield {act.fields["description"]: act for act in acts}


def _open_acts() -> "QuerySet[Act]":
    """Acts on records that wait, or that came back and may be sent again."""
    again = Errand.objects.filter(kind=SEND_AGAIN, state=Errand.State.OPEN).values("subject")
    return Act.objects.of_kind(*RECORD_ACTS).filter(Q(state="waiting") | Q(digest__in=again))


def _blobs(options: RunOptions) -> "QuerySet[Blob]":
    """Bytes are read only if they are looked at."""
    return Blob.objects.all() if options.deep else Blob.objects.defer("data")


def _named(source: Version | Act) -> str:
    if isinstance(source, Act):
        return f"act {source.pk}"
    return f"version {source.version} of {source.record_id}"


def _problem(files: Store, cid: Cid, kept: set[Cid], *, deep: bool) -> tuple[str, Repair | None]:
    """What is wrong with a content, "" if nothing, and what mends it."""
    if not files.has(cid):
        return "is not in the store", _fetching(cid)
    if cid not in kept:
        return "is in the store, and not pinned", _pinning(cid)
    try:
        plaintext_size(files.stat(cid))
    except FileRefused:
        return "has a size that no encrypted file has", _fetching(cid)
    except (ContentCorrupt, ContentNotFound):
        return "lacks some of its blocks", _fetching(cid)
    if deep and _is_damaged(files, cid):
        return "has other bytes than its CID says, or lacks some", _fetching(cid)
    return "", None


def _is_damaged(files: Store, cid: Cid) -> bool:
    """Reads the whole content, each byte of which the store's blob checks against the CID."""
    try:
        with files.open(cid) as blob:
            for _ in blob:
                pass
    except (ContentCorrupt, ContentNotFound):
        return True
    return False


def _reading(digest: str) -> Repair:
    def read() -> str:
        data = read_blob(digest)
        if data is None or len(data) > DESCRIPTION_MAX:
            return ""
        copy_blob(digest, data)
        return "copied into the database"

    return read


def _fetching(cid: Cid) -> Repair | None:
    """From the folder, where the store is a node that came after it; or from the node's peers."""
    if not settings.IPFS_API_URL:
        return None

    def fetch() -> str:
        try:
            if (settings.STORE_PATH / "objects").is_dir():
                with LocalStore(settings.STORE_PATH).open(cid) as blob:
                    store().put(blob)
                return "restored from the folder"
        except (ContentCorrupt, ContentNotFound):
            pass
        return "fetched from another node" if fetch_content(cid) else ""

    return fetch


def _pinning(cid: Cid) -> Repair:
    def pin() -> str:
        try:
            store().pin(cid)
        except StorageError:
            return ""
        return "pinned"

    return pin


def _again(row: Blob) -> Repair | None:
    """The database has the bytes: they are put into the store as new ones are."""

    def put() -> str:
        data = Blob.objects.filter(pk=row.pk, state=STORED).values_list("data", flat=True).first()
        if data is None or digest_of(bytes(data)) != row.digest:
            return ""
        put_held(store(), [bytes(data)])
        return "put into the store again"

    return put


def _reloading(row: Blob) -> Repair:
    def reload() -> str:
        try:
            with store().open(Cid.from_digest(row.digest)) as blob:
                data = blob.read_at(0, blob.size)
        except (ContentCorrupt, ContentNotFound):
            return ""
        changed = Blob.objects.filter(pk=row.pk, state=STORED).update(data=data)
        return "read again from the store" if changed else ""

    return reload


def _erasing(cid: Cid) -> Repair:
    def erase() -> str:
        erased = erase_envelope(store(), cid.hex)
        if erased is None:  # it is named, or no envelope of ours: then it was marked by mistake
            Blob.objects.filter(pk=cid.hex, state=DELETED).delete()
            return "no longer marked as erased: it is named, or not ours"
        return "erased from the store" if erased else ""

    return erase
