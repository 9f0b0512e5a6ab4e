"""Whether everybody who has access has an envelope to open it with, and nobody else has one."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from accounts.models import Account
from chain.contract.slots import folder_of_scope
from chain.models import Act, Event
from chain.models.bulk import rows_in
from chain.reconcile.run import Check, Finding, Repair, RunOptions, row_chunks
from records.access import narrow
from records.chain_words import ZERO_WORD
from records.content import delete_envelopes, digest_of, keep_blob, store
from records.crypto.envelopes import EnvelopeEntry, EnvelopeList
from records.crypto.errors import BadList
from records.erasing import named
from records.models import Blob, Envelope, FolderState, Grant, QueuedKey
from records.models import EnvelopeList as ListRow
from records.services.envelopes import SHARING, ListAbout, drop_list, index_list, release_lists
from records.services.list_index import list_of_event
from records.services.revocations import end_grant
from records.storage import Cid

HERE = (Blob.State.HELD, Blob.State.NEW, Blob.State.STORED)
_HELD_FOR_NOTHING = "is held back for an act that is not there, or came to nothing"
SWEPT_WITHIN = timedelta(minutes=5)
"""A grant that ran out less than this ago may still wait for the sweep."""


def find_list_differences(options: RunOptions) -> Iterator[Finding]:
    """Lists of envelopes whose bytes are nowhere, or name others than their rows."""
    kept = set(store().kept())
    for part in row_chunks(ListRow.objects.prefetch_related("envelopes"), options):
        blobs = Blob.objects.filter(pk__in=[row.digest for row in part]).in_bulk()
        for row in part:
            subject, blob = f"list {Cid.from_digest(row.digest)}", blobs.get(row.digest)
            if blob is not None and blob.state == Blob.State.DELETED:
                continue  # its act came to nothing, and nobody ever got it
            if blob is None or blob.data is None:
                if Cid.from_digest(row.digest) not in kept:
                    yield Finding(subject, "its bytes are nowhere", _rebuilding(row))
                continue
            missing = _unlisted(row, bytes(blob.data))
            if missing is None:
                yield Finding(subject, "its bytes are no list of envelopes")
            elif missing:
                what = f"{len(missing)} of its envelopes have no row"
                yield Finding(subject, what, _indexing(row, missing))


def find_unread_lists(options: RunOptions) -> Iterator[Finding]:
    """Lists that grants and moves on the chain name, and of whose envelopes nothing is known here."""
    kept = {cid.hex for cid in store().kept()}
    patients = Account.objects.filter(kind=Account.Kind.PATIENT).values("address")
    events = Event.objects.applied().named("AccessGranted", "FolderRekeyed").filter(subject__in=patients)
    for part in row_chunks(events, options):
        known = rows_in(ListRow.objects.all(), "digest", {event["envelopes"] for event in part})
        rows = {(row.digest, row.patient, row.scope, row.epoch) for row in known}
        acts = rows_in(Act.objects.only("digest"), "digest", {event.act_digest for event in part})
        own = {act.digest for act in acts}
        for event in part:
            digest, about = event["envelopes"], list_of_event(event)
            if digest == ZERO_WORD or (digest, about.patient, about.scope, about.epoch) in rows:
                continue
            subject = f"list {Cid.from_digest(digest)} of event {event.pk}"
            if digest in kept:
                yield Finding(subject, "is in the store, and has no rows", _reading(digest, about))
            elif event.act_digest in own:
                yield Finding(subject, "was sealed here, and is nowhere")
            elif _still_counts(event, about):
                what = "was sealed elsewhere, and is not here: the next end of its grants moves the folder on"
                yield Finding(subject, what, note=True)


def find_held_blobs(options: RunOptions) -> Iterator[Finding]:
    """What is held back for an act that has been settled: it is to be let go, or to be erased."""
    lists = ListRow.objects.filter(digest__in=Blob.objects.filter(state=Blob.State.HELD).values("pk"))
    for part in row_chunks(lists, options):
        for row in part:
            acts = Act.objects.by(row.sender).of_kind("GrantAccess", "RekeyFolder")
            states = set(acts.filter(fields__envelopes=row.digest).values_list("state", flat=True))
            if "waiting" in states:
                continue
            what = "is held back, and its act is on the chain" if "confirmed" in states else _HELD_FOR_NOTHING
            yield Finding(f"list {Cid.from_digest(row.digest)}", what, _settling(row, "confirmed" in states))


def find_leftover_envelopes(options: RunOptions) -> Iterator[Finding]:
    """Envelopes that can still be found although no grant stands for their recipient (a leftover key)."""
    sealed = Envelope.objects.filter(deleted_at=None, list__purpose__in=SHARING)
    sealed = sealed.exclude(recipient=F("list__patient")).select_related("list")
    for part in row_chunks(sealed, options):
        standing = _standing({row.list.patient for row in part})
        for row in part:
            if (row.list.patient, row.list.scope, row.recipient) not in standing:
                what = "can still be found, and no grant stands for its recipient"
                yield Finding(f"envelope {row.pk}", what, _erasing(row))


def find_bytes_of_erased_envelopes(options: RunOptions) -> Iterator[Finding]:
    """Envelopes that count as erased while their bytes are still here."""
    alive = Envelope.objects.filter(digest=OuterRef("digest"), deleted_at=None)
    blobs = Blob.objects.filter(pk=OuterRef("digest"), state__in=HERE)
    for part in row_chunks(Envelope.objects.filter(~Exists(alive), Exists(blobs), verified=True), options):
        stays = named({row.digest for row in part})
        for row in part:
            if row.digest in stays:
                continue
            yield Finding(f"envelope {row.pk}", "counts as erased, and its bytes are here", _deleting(row))


def find_keys_without_act(options: RunOptions) -> Iterator[Finding]:
    """Queued data keys of versions that no act makes."""
    for part in row_chunks(QueuedKey.objects.all(), options):
        slots = {f"record:{row.record}" for row in part}
        acts = set(Act.objects.filter(slot__in=slots).values_list("slot", "number", "author"))
        for row in part:
            if (f"record:{row.record}", row.version, row.author) not in acts:
                what = f"is kept for version {row.version} of {row.record}, which no act makes"
                yield Finding(f"queued key {row.pk}", what)


CHECKS = (
    Check("R201", "lists of envelopes are incomplete", find_list_differences),
    Check("R210", "lists that the chain names are not read", find_unread_lists),
    Check("R211", "what is held back has no act that waits", find_held_blobs),
    Check("R202", "envelopes are left for who has no grant", find_leftover_envelopes),
    Check("R203", "erased envelopes have left their bytes", find_bytes_of_erased_envelopes),
    Check("R204", "data keys are queued without an act", find_keys_without_act),
)


def _standing(patients: Iterable[str]) -> set[tuple[str, str, str]]:
    """(patient, scope, grantee) of grants that stand, wait for the chain, or have ended just now."""
    given = Grant.objects.filter(
        patient__in=patients, ended=Grant.Ended.NO, expiry__gt=timezone.now() - SWEPT_WITHIN
    )
    standing = {(grant.patient, grant.scope, grant.grantee) for grant in narrow(given)}
    waiting = Act.objects.waiting().of_kind("GrantAccess").filter(author__in=patients)
    for author, fields in waiting.values_list("author", "fields"):
        standing.add((author, fields["scope"], fields["grantee"]))
    return standing


def _unlisted(row: ListRow, data: bytes) -> list[EnvelopeEntry] | None:
    """Entries of a list's bytes that have no row; None where the bytes are not this list."""
    try:
        listed = EnvelopeList.from_bytes(data)
    except BadList:
        return None
    if digest_of(data) != row.digest:
        return None
    known = {(one.recipient, one.key_digest, one.digest) for one in row.envelopes.all()}
    entries = {(one.recipient, one.key_digest, "0x" + one.envelope.hex()): one for one in listed.entries}
    return [one for key, one in entries.items() if key not in known]


def _rebuilding(row: ListRow) -> Repair | None:
    """The list again from its rows, if they are all there: its digest tells."""
    entries = [
        EnvelopeEntry(one.recipient, one.key_digest, bytes.fromhex(one.digest[2:]))
        for one in row.envelopes.all()
    ]
    try:
        data = EnvelopeList.of(entries).to_bytes()
    except BadList:
        return None
    if digest_of(data) != row.digest:
        return None

    def rebuild() -> str:
        with transaction.atomic():
            Blob.objects.filter(pk=row.digest, data=None).delete()
            keep_blob(data)
        return "written again from its rows"

    return rebuild


def _indexing(row: ListRow, missing: list[EnvelopeEntry]) -> Repair:
    def index() -> str:
        Envelope.objects.bulk_create(
            (
                Envelope(
                    list=row,
                    recipient=entry.recipient,
                    key_digest=entry.key_digest,
                    digest="0x" + entry.envelope.hex(),
                )
                for entry in missing
            ),
            ignore_conflicts=True,
        )
        return "its envelopes have rows again"

    return index


def _erasing(row: Envelope) -> Repair:
    about = row.list

    def erase() -> str:
        with transaction.atomic():
            if (about.patient, about.scope, row.recipient) in _standing({about.patient}):
                return ""
            end_grant(patient=about.patient, grantee=row.recipient, scope=about.scope)
        return "erased"

    return erase


def _still_counts(event: Event, about: ListAbout) -> bool:
    """Whether the folder is still at the list's epoch, or the grant still stands."""
    folder = folder_of_scope(about.scope)
    if folder is None:
        return Grant.objects.filter(patient=about.patient, envelopes=event["envelopes"], ended="").exists()
    later = FolderState.objects.filter(patient=about.patient, folder=folder, epoch__gt=about.epoch)
    return not later.exists()


def _reading(digest: str, about: ListAbout) -> Repair:
    return lambda: "read from the store" if index_list(digest, about) else ""


def _settling(row: ListRow, is_confirmed: bool) -> Repair:
    def settle() -> str:
        with transaction.atomic():
            if is_confirmed:
                release_lists([row.digest])
            else:
                drop_list(row.digest)
        return "let go" if is_confirmed else "erased"

    return settle


def _deleting(row: Envelope) -> Repair:
    def delete() -> str:
        with transaction.atomic():
            delete_envelopes([row.digest])
        return "erased"

    return delete
