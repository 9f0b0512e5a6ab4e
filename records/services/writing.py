"""Making a version: which data key, wrapped or sealed how, and the act that registers it."""

import secrets
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.actor import Actor, ReadOnlyToken, VaultClosed
from accounts.directory import is_affiliated
from accounts.models import Account, PublishedKey
from chain.acts.messages import PreparedAct, prepare_act
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox.submit import submit_act
from records import access
from records.chain_words import address_field, raw
from records.content import keep_blob
from records.crypto.description import Description
from records.crypto.envelopes import Purpose, seal_envelope
from records.crypto.payloads import DataKeyPayload
from records.crypto.wrap import wrap
from records.errors import AccessRefused, Conflict, FolderMoved, InvalidInput, OtherPatient
from records.holdings import hold
from records.models import Grant, QueuedKey, SelectionRecord
from records.services.acceptance import check_writing, prepare_until_kept
from records.services.envelopes import (
    ListAbout,
    SealedList,
    keep_list,
    own_or_key_of,
    queued_about,
    reachable_keys,
    seal_list,
)
from records.services.epochs import current_epoch
from records.services.keyring import Keyring, OpenVersion
from records.services.limits import check_inbox
from records.services.naming import person_named_to
from records.services.senders import is_blocked
from records.services.states import RecordState, VersionState

KEY_BYTES = 32


@dataclass(frozen=True)
class Secret:
    """What stands in an act's `secret`; the list, when the data key is sealed to the patient instead."""

    hex: str
    listed: SealedList | None = None


@dataclass(frozen=True)
class Prepared:
    """An act on a record, and what has to be kept with it.

    `same_key` is the record before it, where the act keeps its data key.
    """

    act: PreparedAct
    description: bytes | None
    secret: Secret
    queued: list[QueuedKey]
    same_key: RecordState | None = None


@dataclass(frozen=True)
class Place:
    """Where a record goes: folder and packed epoch."""

    folder: int
    epoch: int


def require_keys(actor: Actor) -> None:
    """Raise VaultClosed or ReadOnlyToken before work that ends with a signature begins."""
    if not actor.is_open:
        raise VaultClosed
    if not actor.can_sign:
        raise ReadOnlyToken


def require_own(actor: Actor, patient: str) -> None:
    """Raise OtherPatient where a patient's account would write for somebody else."""
    if actor.kind == Account.Kind.PATIENT and patient != actor.address:
        raise OtherPatient


def require_writer(actor: Actor, state: RecordState, via: str) -> None:
    """Raise AccessRefused or Conflict unless the actor may add a version now."""
    if state.closed:
        raise Conflict("This record is closed: it takes no further versions.")
    if state.standing() is None:
        raise Conflict("The chain refused this record. Send it again first.")
    if actor.address == state.patient:
        return
    if not access.writable_by(actor, patient=state.patient, via=via).filter(pk=state.record).exists():
        raise AccessRefused(
            "You may not change this record. Ask the patient for permission to write.",
            patient=state.patient,
            via=via,
        )


def require_patient(actor: Actor, address: str) -> None:
    """Raise InvalidInput for an address that the actor may know to be a doctor's or an institution's."""
    person = person_named_to(actor, address)
    if person.known and person.kind != Account.Kind.PATIENT:
        raise InvalidInput("patient", "This is not a patient's address. Ask the patient for it.")


def require_sender(actor: Actor, patient: str, via: str) -> None:
    """Raise unless the actor may leave a record in this patient's inbox through `via`."""
    if not via or not is_affiliated(via, actor.address):
        raise InvalidInput("via", "Choose an institution that you belong to now.")
    if is_blocked(patient, actor.address, via):
        raise AccessRefused("This patient takes no records from you.", patient=patient, via=via)
    check_inbox(actor.address, patient, via)


def open_or_refuse(keyring: Keyring, state: RecordState) -> OpenVersion:
    """The newest version, opened. Raises AccessRefused, RecordDamaged, RecordLost, StoreDown."""
    return keyring.require(keyring.try_latest(state))


def secret_for(keyring: Keyring, *, record: str, place: Place, data_key: bytes) -> Secret:
    """Wrap the data key under the folder, or seal it to the patient where that key is not at hand."""
    key = keyring.folder_key(place.folder, place.epoch) if place.folder else None
    if key is not None:
        return Secret("0x" + wrap(key, raw(record), data_key).hex())
    actor = keyring.actor
    about = ListAbout(Purpose.INBOX, actor.address, keyring.patient, record)
    payload = DataKeyPayload(data_key).to_bytes()
    listed = seal_list(actor.origin, about, payload, [own_or_key_of(actor, keyring.patient)])
    return Secret(listed.digest, listed)


def prepare_record(
    keyring: Keyring,
    *,
    nonce: str,
    record: str,
    folder: int,
    description: Description,
    content: str,
    flags: int,
    via: str,
) -> Prepared:
    """A new record in this folder (0: the patient's inbox). Asks the node for keys: outside a transaction."""
    actor, patient = keyring.actor, keyring.patient
    place = Place(folder, current_epoch(patient, folder))
    data_key = secrets.token_bytes(KEY_BYTES)
    secret = secret_for(keyring, record=record, place=place, data_key=data_key)
    digest, sealed = keyring.seal(record, data_key, description)
    act = prepare_act(
        "NewRecord",
        author=actor.address,
        patient=patient,
        via=address_field(via),
        folder=place.folder,
        epoch=place.epoch,
        flags=flags,
        nonce=nonce,
        content=content,
        description=digest,
        secret=secret.hex,
    )
    return Prepared(act, sealed, secret, queue_keys(actor, record, 1, patient, data_key))


def prepare_version(
    keyring: Keyring,
    state: RecordState,
    *,
    description: Description,
    content: str,
    flags: int,
    via: str,
) -> Prepared:
    """The next version. Asks the node for keys: outside a transaction. Raises Conflict, AccessRefused."""
    state = _standing(state)
    opened = open_or_refuse(keyring, state)
    latest = state.latest
    if latest.folder == 0:
        raise Conflict("File this record into a folder first.")
    place = Place(latest.folder, current_epoch(state.patient, latest.folder))
    same_key = state if keeps_data_key(state, place) else None
    if same_key is not None:
        data_key, secret = opened.data_key, Secret(latest.secret)
        description = replace(description, previous_data_key=None)
    else:
        data_key = secrets.token_bytes(KEY_BYTES)
        description = replace(description, previous_data_key=opened.data_key)
        secret = secret_for(keyring, record=state.record, place=place, data_key=data_key)
    digest, sealed = keyring.seal(state.record, data_key, description)
    act = _modify(keyring.actor, state, place, via, secret, digest, content, flags)
    queued = queue_keys(keyring.actor, state.record, latest.version + 1, state.patient, data_key)
    return Prepared(act, sealed, secret, queued, same_key)


def add_version(
    keyring: Keyring, state: RecordState, *, description: Description, content: str, via: str
) -> Act:
    """Sign and queue the next version. Raises as `prepare_version` and `keep_version` do."""

    def add() -> Act:
        flags = state.latest.flags
        prepared = prepare_version(
            keyring, state, description=description, content=content, flags=flags, via=via
        )
        return keep_version(keyring.actor, prepared)

    return prepare_until_kept(add)


def wrap_anew(keyring: Keyring, state: RecordState, folder: int) -> Act:
    """The same files, the data key wrapped under another folder (or epoch). It must open first."""
    standing = _standing(state)
    opened, latest = open_or_refuse(keyring, standing), standing.latest

    def wrap() -> Act:
        place = Place(folder, current_epoch(state.patient, folder))
        secret = secret_for(keyring, record=state.record, place=place, data_key=opened.data_key)
        digest, content, flags = latest.description, latest.content, latest.flags
        act = _modify(keyring.actor, standing, place, "", secret, digest, content, flags)
        return keep_version(keyring.actor, Prepared(act, None, secret, []))

    return prepare_until_kept(wrap)


def keep_version(actor: Actor, prepared: Prepared) -> Act:
    """Sign and queue it with description, envelopes and keys, all or nothing.

    Raises FolderMoved (prepare it again), Conflict, AccessRefused.
    """
    signed = actor.sign(prepared.act)
    try:
        with transaction.atomic():
            check_writing(actor, prepared.act)
            before, place = prepared.same_key, place_of(prepared.act)
            if before is not None and not keeps_data_key(before, place):
                raise FolderMoved  # somebody has lost access to the record since
            hold(prepared.act.fields["content"])
            if prepared.description is not None:
                keep_blob(prepared.description)
            if prepared.secret.listed is not None:
                keep_list(prepared.secret.listed)
            act = submit_act(signed)
            QueuedKey.objects.bulk_create(prepared.queued)
    except ActConflict as error:
        raise Conflict("Another version was sent first. Look at it, then try again.") from error
    return act


def place_of(act: PreparedAct) -> Place:
    """Return where an act on a record puts it."""
    return Place(act.fields["folder"], act.fields["epoch"])


def queue_keys(actor: Actor, record: str, version: int, patient: str, data_key: bytes) -> list[QueuedKey]:
    """The data key sealed to author and patient, until the act is settled; the patient alone needs none.

    A patient without a key that can be used waits for the act.
    """
    if actor.address == patient:
        return []
    rows = []
    for key in (actor.own_public_key, *reachable_keys([patient])):
        address = key.account
        row = QueuedKey(
            record=record,
            version=version,
            recipient=address,
            key_digest=key.digest,
            author=actor.address,
            patient=patient,
            epoch=0,
        )
        context = queued_about(row).context(actor.origin, address)
        row.sealed = seal_envelope(context, key.key, DataKeyPayload(data_key).to_bytes())
        rows.append(row)
    return rows


def keeps_data_key(state: RecordState, place: Place) -> bool:
    """Whether the next version may keep the data key (docs/FORMAT.md, records).

    Only in the folder and epoch it was first wrapped in, not out of the inbox, and if no grant of this
    record (selections included) has ended since, nor an institution's key moved on that has one.
    """
    latest = state.latest
    if not latest.wrapped or (latest.folder, latest.epoch) != (place.folder, place.epoch):
        return False
    first, before = _first_wrapped(state)
    if before is not None and before.description == first.description:
        return False  # filed, moved or wrapped anew: the key is older than this wrapping
    selections = SelectionRecord.objects.filter(record=state.record).values("selection")
    given = Grant.objects.filter(Q(scope=state.record) | Q(scope__in=selections), patient=state.patient)
    ended = Q(ended_at__gte=first.at) | Q(ended="", expiry__gte=first.at, expiry__lte=timezone.now())
    if given.filter(ended).exists():
        return False
    running = given.filter(ended="", expiry__gt=timezone.now())
    all_stand = access.standing(running).count() == running.count()
    return all_stand and not _key_has_moved(running, first)


def _key_has_moved(grants: QuerySet[Grant], first: VersionState) -> bool:
    """Whether an institution among the grantees has another key since: who left may have kept the former."""
    places = grants.filter(via=F("grantee")).order_by().values("grantee")
    moved = PublishedKey.objects.filter(account__in=places, version__gt=1)
    return first.block_number is not None and moved.filter(block_number__gte=first.block_number).exists()


def _first_wrapped(state: RecordState) -> tuple[VersionState, VersionState | None]:
    """The version that first had the latest's wrapped secret, and the one before it."""
    versions = state.versions
    at = len(versions) - 1
    while at > 0 and versions[at - 1].secret == versions[at].secret:
        at -= 1
    return versions[at], versions[at - 1] if at else None


def _standing(state: RecordState) -> RecordState:
    standing = state.standing()
    if standing is None:
        raise Conflict("The chain refused this record. Send it again first.")
    return standing


def _modify(
    actor: Actor,
    state: RecordState,
    place: Place,
    via: str,
    secret: Secret,
    description: str,
    content: str,
    flags: int,
) -> PreparedAct:
    return prepare_act(
        "ModifyRecord",
        author=actor.address,
        patient=state.patient,
        via=address_field(via),
        record=state.record,
        folder=place.folder,
        epoch=place.epoch,
        version=state.latest.version + 1,
        flags=flags,
        content=content,
        description=description,
        secret=secret.hex,
    )
