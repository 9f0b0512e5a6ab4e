"""Envelopes and their public lists: sealed here, kept as blobs, opened by the keys an actor holds."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts.actor import Actor
from accounts.crypto.errors import CryptoError
from accounts.crypto.origin import Origin
from accounts.directory import PublicKey, public_key
from accounts.errors import NoPublishedKey, UnusableKey
from chain.contract.slots import folder_scope
from chain.errors import ChainUnavailable, KeyMismatch
from chain.models.bulk import batches, rows_in
from records.access import LiveGrant, TextList
from records.arrivals import WantedFile
from records.chain_words import raw, word
from records.content import copy_blob, delete_envelopes, erase_held, keep_blob, read_blob, release_blobs
from records.crypto.envelopes import (
    EnvelopeContext,
    EnvelopeEntry,
    EnvelopeList,
    Purpose,
    envelope_digest,
    open_envelope,
    seal_envelope,
)
from records.crypto.errors import BadList
from records.crypto.folders import unpack_epoch
from records.crypto.payloads import (
    DataKeyPayload,
    FolderPayload,
    RecordPayload,
    SelectionPayload,
    Terms,
)
from records.errors import ChainDown, InvalidInput, StoreDown
from records.models import Blob, Envelope, Fetch, Grant, QueuedKey, Record, Rekey
from records.models import EnvelopeList as ListRow

_GRANTED: Mapping[Purpose, "PayloadType[FolderPayload | RecordPayload | SelectionPayload]"] = {
    Purpose.FOLDER: FolderPayload,
    Purpose.RECORD: RecordPayload,
    Purpose.SELECTION: SelectionPayload,
}
SHARING = tuple(_GRANTED)
UNUSABLE = "Nothing can be sent to this account: the key it has published cannot be used. It needs another."
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class PayloadType(Protocol[T_co]):
    """A class of records.crypto.payloads: its one decoder, whose failures are CryptoErrors."""

    @staticmethod
    def from_bytes(data: bytes, /) -> T_co:
        """The payload in these bytes."""


@dataclass(frozen=True)
class Opened(Generic[T]):
    """What a list holds for an actor.

    Without a payload, `damaged` says that an envelope is there which does not open or holds something else;
    otherwise it is absent: not listed, erased, not found, or sealed to a key that this actor does not have.
    """

    payload: T | None = None
    damaged: bool = False


@dataclass(frozen=True)
class ListAbout:
    """What a list's envelopes are bound to, besides recipient and key."""

    purpose: Purpose
    sender: str
    patient: str
    scope: str
    epoch: int = 0

    def wanted_list(self, digest: str) -> WantedFile:
        """The list of this digest, as a file that may have to be fetched."""
        return WantedFile(digest, Fetch.Kind.LIST, patient=self.patient, author=self.sender)

    def wanted_envelope(self, digest: str) -> WantedFile:
        """An envelope of such a list."""
        return WantedFile(digest, Fetch.Kind.ENVELOPE, patient=self.patient, author=self.sender)

    def context(self, origin: Origin, recipient: str) -> EnvelopeContext:
        """The context of one envelope."""
        return EnvelopeContext(
            origin=origin,
            purpose=self.purpose,
            sender=self.sender,
            recipient=recipient,
            patient=self.patient,
            scope=raw(self.scope),
            epoch=self.epoch,
        )


@dataclass(frozen=True)
class SealedList:
    """Envelopes sealed, not yet kept."""

    about: ListAbout
    listed: EnvelopeList
    envelopes: list[bytes]

    @property
    def digest(self) -> str:
        """What the act carries."""
        return word(self.listed.digest)


def key_of(address: str, *, field: str = "address") -> PublicKey:
    """The sharing key to seal to, checked against the contract's state.

    Raises InvalidInput where there is none (or another, or an unusable one), ChainDown where the node does
    not answer.
    """
    try:
        return public_key(address)
    except UnusableKey as error:
        raise InvalidInput(field, UNUSABLE) from error
    except (NoPublishedKey, KeyMismatch) as error:
        raise InvalidInput(
            field, "This account has no confirmed sharing key yet. Try again later."
        ) from error
    except ChainUnavailable as error:
        raise ChainDown from error


def reachable_keys(addresses: Iterable[str]) -> list[PublicKey]:
    """The keys of those to whom something can be sealed now; the others are left out. Raises ChainDown."""
    keys = []
    for address in addresses:
        with suppress(InvalidInput):
            keys.append(key_of(address))
    return keys


def own_or_key_of(actor: Actor, address: str) -> PublicKey:
    """The actor's own key as derived, or somebody's as published."""
    return actor.own_public_key if address == actor.address else key_of(address)


def seal_list(
    origin: Origin, about: ListAbout, payload: bytes, recipients: Iterable[PublicKey]
) -> SealedList:
    """Seal one payload to each recipient."""
    return seal_each(origin, about, [(recipient, payload) for recipient in recipients])


def seal_each(origin: Origin, about: ListAbout, payloads: Iterable[tuple[PublicKey, bytes]]) -> SealedList:
    """Seal each recipient's payload; a recipient named twice gets the first."""
    entries: dict[str, EnvelopeEntry] = {}
    envelopes = []
    for recipient, payload in payloads:
        if recipient.account in entries:
            continue
        sealed = seal_envelope(about.context(origin, recipient.account), recipient.key, payload)
        envelopes.append(sealed)
        digest = envelope_digest(sealed)
        entries[recipient.account] = EnvelopeEntry(recipient.account, recipient.digest, digest)
    return SealedList(about, EnvelopeList.of(entries.values()), envelopes)


def keep_list(sealed: SealedList) -> str:
    """Keep a list and its envelopes, in the caller's transaction; returns the list's digest.

    What shares a folder, a record or a selection is held back until its act is on the chain
    (`release_lists`). Else two portals of one patient could hand out the same epoch to different people.
    """
    held = sealed.about.purpose in SHARING
    keep_blob(sealed.listed.to_bytes(), held=held)
    for envelope in sealed.envelopes:
        keep_blob(envelope, held=held)
    own_list(_index(sealed.digest, sealed.about, sealed.listed))
    return sealed.digest


def own_list(row: ListRow) -> None:
    """Note that a list and its envelopes were sealed here: they are this portal's to erase."""
    ListRow.objects.filter(pk=row.pk).update(sealed_here=True)
    row.envelopes.update(verified=True)


def release_lists(digests: Iterable[str]) -> None:
    """The acts that name these lists are on the chain: the store gets them, and their envelopes."""
    for some in batches(digests):
        envelopes = Envelope.objects.filter(list__digest__in=some).values_list("digest", flat=True)
        release_blobs({*some, *envelopes})


def drop_list(digest: str) -> None:
    """The act that names this list came to nothing: unless the chain has named it, nobody ever gets it."""
    if not Blob.objects.filter(pk=digest, state=Blob.State.HELD).exists():
        return
    envelopes = Envelope.objects.filter(list__digest=digest)
    erase_held({digest, *envelopes.values_list("digest", flat=True)})
    envelopes.filter(deleted_at=None).update(deleted_at=timezone.now())


def listed_envelopes(digest: str, about: ListAbout) -> QuerySet[Envelope]:
    """The envelopes that an act with this list, about this, gives to anybody."""
    return Envelope.objects.filter(list__digest=digest, **{f"list__{k}": v for k, v in vars(about).items()})


def shared_envelopes(*, patient: str, scope: str, recipient: str) -> QuerySet[Envelope]:
    """The usable envelopes that the patient's acts on a scope give to one account."""
    return Envelope.objects.filter(
        list__purpose__in=SHARING,
        list__sender=patient,
        list__patient=patient,
        list__scope=scope,
        recipient=recipient,
        deleted_at=None,
    )


def use_again(*, patient: str, scope: str, recipient: str, digest: str) -> None:
    """A grant names a list again whose envelopes had had their day: those not erased are usable again."""
    rows = Envelope.objects.filter(
        list__digest=digest,
        list__sender=patient,
        list__patient=patient,
        list__scope=scope,
        recipient=recipient,
    )
    erased = Blob.objects.filter(state__in=(Blob.State.DELETING, Blob.State.DELETED))
    rows.exclude(deleted_at=None).exclude(digest__in=erased.values("pk")).update(deleted_at=None)


def end_envelopes(ended: QuerySet[Envelope]) -> None:
    """Use these envelopes no more, and erase those that are this portal's to erase."""
    rows = dict(ended.values_list("pk", "digest"))
    Envelope.objects.filter(pk__in=rows).update(deleted_at=timezone.now())
    delete_envelopes(set(rows.values()))


def open_listed(actor: Actor, list_digest: str, about: ListAbout, payload_type: PayloadType[T]) -> Opened[T]:
    """Open and decode what a list holds for this actor; nothing that it holds makes this raise.

    Raises StoreDown, NotArrived where list or envelopes cannot be read now.
    """
    index_list(list_digest, about)
    rows = listed_envelopes(list_digest, about).filter(recipient__in=actor.recipients, deleted_at=None)
    problems: list[StoreDown] = []
    opened = [
        each
        for row in rows.select_related("list")
        if (each := _try_row(actor, row, payload_type, problems)) is not None
    ]
    readable = next((each for each in opened if each.payload is not None), None)
    if readable is None and problems:
        raise problems[0]
    return readable or Opened(damaged=any(each.damaged for each in opened))


@dataclass
class ScopeEnvelopes:
    """The envelopes of a patient's scope that an actor may open, and what is wrong with those not read."""

    rows: list[Envelope] = field(default_factory=list)
    problems: list[StoreDown] = field(default_factory=list)


def read_scopes(actor: Actor, scopes: Iterable[tuple[str, str]]) -> dict[tuple[str, str], ScopeEnvelopes]:
    """Read the envelopes of scopes, each named with its patient: as many statements for one as for many."""
    shelves = {place: ScopeEnvelopes() for place in scopes}
    if not shelves:
        return shelves
    for (patient, scope), digest, epoch in _unknown_lists(shelves):
        try:
            index_list(digest, about_scope(patient, scope, epoch))
        except StoreDown as error:
            shelves[patient, scope].problems.append(error)
    blobs = Blob.objects.filter(pk=OuterRef("digest"))
    rows = Envelope.objects.select_related("list").filter(
        _of_places("list__", shelves),
        list__sender=F("list__patient"),
        list__purpose__in=SHARING,
        recipient__in=actor.recipients,
        deleted_at=None,
    )
    for row in rows.annotate(has_blob=Exists(blobs), sealed=Subquery(blobs.values("data")[:1])):
        if (place := (row.list.patient, row.list.scope)) in shelves:
            shelves[place].rows.append(row)
    return shelves


def newest_secret(
    actor: Actor, *, patient: str, scope: str, least: int, shelf: ScopeEnvelopes | None = None
) -> tuple[int, bytes] | None:
    """(epoch, secret) of a folder from the newest envelope that reaches this packed epoch.

    Raises StoreDown, NotArrived where none does and one cannot be read now.
    """
    generation, _ = unpack_epoch(least)
    shelf = shelf or read_scopes(actor, [(patient, scope)])[patient, scope]
    problems = list(shelf.problems)
    rows = [row for row in shelf.rows if row.list.purpose == Purpose.FOLDER and row.list.epoch >= least]
    for row in sorted(rows, key=lambda row: row.list.epoch, reverse=True):
        opened = _try_row(actor, row, FolderPayload, problems)
        payload = opened.payload if opened is not None else None
        secrets = payload.secrets if payload is not None else {}
        for packed in sorted(secrets, reverse=True):
            if packed >= least and unpack_epoch(packed)[0] == generation:
                return unpack_epoch(packed)[1], secrets[packed]
    if problems:
        raise problems[0]
    return None


def scope_keys(
    actor: Actor, *, patient: str, scope: str, shelf: ScopeEnvelopes | None = None
) -> Iterator[tuple[str, bytes]]:
    """(record, data key) from the envelopes of a grant of a record or of a selection.

    Raises StoreDown, NotArrived after the last of them where one cannot be read now.
    """
    shelf = shelf or read_scopes(actor, [(patient, scope)])[patient, scope]
    problems = list(shelf.problems)
    rows = [row for row in shelf.rows if row.list.purpose != Purpose.FOLDER]
    for row in sorted(rows, key=lambda row: row.list.created_at, reverse=True):
        opened = _try_row(actor, row, _GRANTED[Purpose(row.list.purpose)], problems)
        payload = opened.payload if opened is not None else None
        if isinstance(payload, RecordPayload):
            yield scope, payload.data_key
        elif isinstance(payload, SelectionPayload) and word(payload.selection_id(patient)) == scope:
            yield from ((word(record), key) for record, key in payload.data_keys.items())
    if problems:
        raise problems[0]


def is_damaged(actor: Actor, grant: LiveGrant, shelf: ScopeEnvelopes) -> bool:
    """Whether this grant's envelopes for the actor are there and hold no key."""
    problems: list[StoreDown] = []
    opened = [
        _try_row(actor, row, _GRANTED[Purpose(row.list.purpose)], problems)
        for row in shelf.rows
        if (row.list.digest, row.list.epoch) == (grant.envelopes, grant.epoch)
    ]
    there = [each for each in opened if each is not None]
    return any(each.damaged for each in there) and all(each.payload is None for each in there)


def record_keys(actor: Actor, *, list_digest: str, author: str, patient: str, record: str) -> list[bytes]:
    """The data key that stands sealed to the patient in a record's wrapped secret's place."""
    about = ListAbout(Purpose.INBOX, author, patient, record)
    payload = open_listed(actor, list_digest, about, DataKeyPayload).payload
    return [] if payload is None else [payload.data_key]


def queued_about(row: QueuedKey) -> ListAbout:
    """The context of a queued record's key."""
    return ListAbout(Purpose.QUEUED, row.author, row.patient, row.record, row.epoch)


def queued_keys(actor: Actor, rows: Iterable[QueuedKey]) -> Iterator[bytes]:
    """Data keys kept sealed for author and patient while a record waits."""
    for row in rows:
        seed = actor.sharing_seed(row.key_digest)
        if seed is None:
            continue
        try:
            context = queued_about(row).context(actor.origin, row.recipient)
            payload = DataKeyPayload.from_bytes(open_envelope(context, seed, bytes(row.sealed)))
        except CryptoError:
            continue
        yield payload.data_key


def open_terms(actor: Actor, list_digest: str, about: ListAbout) -> Terms | None:
    """What a request asks for, if this actor is party to it."""
    return open_listed(actor, list_digest, about, Terms).payload


def open_granted(
    actor: Actor, list_digest: str, about: ListAbout
) -> Opened[FolderPayload | RecordPayload | SelectionPayload]:
    """What a grant's envelope for this actor holds."""
    return open_listed(actor, list_digest, about, _GRANTED[about.purpose])


def grant_terms(actor: Actor, list_digest: str, about: ListAbout) -> Terms | None:
    """The terms that a grant's envelope for this actor holds."""
    payload = open_granted(actor, list_digest, about).payload
    return payload.terms if payload is not None else None


def about_scope(patient: str, scope: str, epoch: int) -> ListAbout:
    """What a grant's list is about: the scope says which purpose."""
    if int(scope, 16) < 2**16:
        purpose = Purpose.FOLDER
    else:
        purpose = Purpose.RECORD if Record.objects.filter(pk=scope).exists() else Purpose.SELECTION
    return ListAbout(purpose, patient, patient, scope, epoch)


def _open_row(actor: Actor, row: Envelope, payload_type: PayloadType[T]) -> Opened[T]:
    """Open one envelope and decode its payload: to the reader the two are one step, with one failure."""
    seed = actor.sharing_seed(row.key_digest)
    about = ListAbout(
        Purpose(row.list.purpose), row.list.sender, row.list.patient, row.list.scope, row.list.epoch
    )
    sealed = _sealed(row, about) if seed is not None else None
    if seed is None or sealed is None:
        return Opened()
    try:
        opened = open_envelope(about.context(actor.origin, row.recipient), seed, sealed)
        payload = payload_type.from_bytes(opened)
    except CryptoError:
        return Opened(damaged=True)
    if not row.verified:
        Envelope.objects.filter(pk=row.pk).update(verified=True)
        copy_blob(row.digest, sealed)
    return Opened(payload)


def _sealed(row: Envelope, about: ListAbout) -> bytes | None:
    """The envelope's bytes, which may have been read with its row. Raises StoreDown."""
    read = vars(row)
    if read.get("has_blob"):
        return bytes(read["sealed"]) if read["sealed"] is not None else None
    return read_blob(row.digest, about.wanted_envelope(row.digest))


def _try_row(
    actor: Actor, row: Envelope, payload_type: PayloadType[T], problems: list[StoreDown]
) -> Opened[T] | None:
    """The same; an envelope that cannot be read now joins the problems, and hides no other."""
    try:
        return _open_row(actor, row, payload_type)
    except StoreDown as error:
        problems.append(error)
        return None


def _index(digest: str, about: ListAbout, listed: EnvelopeList) -> ListRow:
    row, made = ListRow.objects.get_or_create(digest=digest, **vars(about))
    if made:
        Envelope.objects.bulk_create(
            Envelope(
                list=row,
                recipient=entry.recipient,
                key_digest=entry.key_digest,
                digest=word(entry.envelope),
            )
            for entry in listed.entries
        )
    return row


def index_list(digest: str, about: ListAbout) -> bool:
    """Find a list that another portal (or a lost database) made by its digest in the store.

    Returns whether it is new here. Raises StoreDown.
    """
    if not digest or ListRow.objects.filter(digest=digest, **vars(about)).exists():
        return False
    data = read_blob(digest, about.wanted_list(digest))
    if data is None:
        return False
    try:
        listed = EnvelopeList.from_bytes(data)
    except BadList:
        return False
    with transaction.atomic():
        copy_blob(digest, data)
        _index(digest, about, listed)
    return True


def _unknown_lists(places: Iterable[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], str, int]]:
    """The lists that the patients' acts on these scopes name and nobody here has looked at yet."""
    places = set(places)
    grants = Grant.objects.filter(_of_places("", places)).exclude(envelopes="")
    rows = grants.values_list("patient", "scope", "envelopes", "epoch")
    named = {((patient, scope), digest, epoch) for patient, scope, digest, epoch in rows}
    rekeys = Rekey.objects.filter(patient__in={patient for patient, _ in places})
    for patient, folder, digest, epoch in rekeys.values_list("patient", "folder", "envelopes", "epoch"):
        named.add(((patient, folder_scope(folder)), digest, epoch))
    lists = ListRow.objects.filter(_of_places("", places), sender=F("patient")).order_by("-purpose")
    indexed = lists.values_list("patient", "scope", "digest", "epoch", "purpose")
    known = {((patient, scope), digest, epoch): purpose for patient, scope, digest, epoch, purpose in indexed}
    # A list may have been looked at as a selection's before its record was known.
    doubted = {place[1] for (place, _, _), purpose in known.items() if purpose == Purpose.SELECTION}
    records = {row.pk for row in rows_in(Record.objects.only("pk"), "pk", doubted)}
    for place, digest, epoch in named:
        purpose = known.get((place, digest, epoch))
        is_mistaken = purpose == Purpose.SELECTION and place[1] in records
        if place in places and (purpose is None or is_mistaken):
            yield place, digest, epoch


def _of_places(prefix: str, places: Iterable[tuple[str, str]]) -> Q:
    """The rows of these patients and these scopes: more than were asked for, where there are several."""
    patients, scopes = {patient for patient, _ in places}, {scope for _, scope in places}
    return Q(
        **{f"{prefix}patient__in": TextList(sorted(patients)), f"{prefix}scope__in": TextList(sorted(scopes))}
    )
