"""Sealing what a grant hands over: a folder's secret, a record's data key, or those of a selection."""

import secrets
from dataclasses import dataclass, field

from accounts.actor import Actor
from accounts.directory import PublicKey
from records.chain_words import raw, word
from records.crypto.envelopes import Purpose
from records.crypto.folders import unpack_epoch
from records.crypto.ids import SELECTION_MAX, selection_id
from records.crypto.payloads import FolderPayload, RecordPayload, SelectionPayload, Terms
from records.errors import InvalidInput, NotFound
from records.models import Record, Version
from records.services.envelopes import ListAbout, SealedList, seal_list
from records.services.epochs import current_epoch, hand_out
from records.services.folders import folder_names, require_folder
from records.services.keyring import Keyring, keyring_to
from records.services.own_secrets import own_secret
from records.services.present import record_views
from records.services.states import RecordState, states_of
from records.shapes import RecordView

SINGLE_MAX = 2000  # each is an act of its own: one selection holds more


@dataclass(frozen=True)
class SealedScope:
    """A scope, its envelopes (not yet kept), and words for it."""

    scope: str
    epoch: int
    listed: SealedList
    words: str
    records: list[RecordView] = field(default_factory=list)
    nonce: str = ""  # of a selection


def seal_folder(actor: Actor, grantee: PublicKey, folder: int, terms: Terms) -> SealedScope:
    """The folder's secret at its current epoch. Raises NotFound."""
    if folder < 1:
        raise InvalidInput("folders", "The inbox cannot be shared.")
    require_folder(actor, folder)
    patient, epoch = actor.address, current_epoch(actor.address, folder)
    hand_out(patient, folder, epoch)
    payload = FolderPayload(folder_secrets(actor, folder, epoch), terms).to_bytes()
    about = ListAbout(Purpose.FOLDER, patient, patient, word(folder), epoch)
    name = folder_names(keyring_to(actor, patient), [folder])[folder]
    count = Record.objects.filter(patient=patient, folder=folder).count()
    return SealedScope(
        scope=about.scope,
        epoch=epoch,
        listed=seal_list(actor.origin, about, payload, [actor.own_public_key, grantee]),
        words=f"Folder “{name}”: {_records(count)} in it now, and all that come into it",
    )


def folder_secrets(actor: Actor, folder: int, epoch: int) -> dict[int, bytes]:
    """The folder's secret at this packed epoch, and the newest used of each earlier generation."""
    generation, _ = unpack_epoch(epoch)
    newest = {generation: epoch}
    used = Version.objects.filter(record__patient=actor.address, folder=folder)
    for packed in used.values_list("epoch", flat=True).distinct():
        at, _ = unpack_epoch(packed)
        if at < generation:
            newest[at] = max(newest.get(at, 0), packed)
    return {
        packed: own_secret(actor.folder_root, actor.origin, at, folder, unpack_epoch(packed)[1])
        for at, packed in newest.items()
    }


def seal_records(actor: Actor, grantee: PublicKey, records: set[str], terms: Terms) -> list[SealedScope]:
    """The data key of each record's newest version, each as a scope of its own.

    Raises NotFound, InvalidInput, RecordDamaged, RecordLost, StoreDown.
    """
    if len(records) > SINGLE_MAX:
        raise InvalidInput(
            "records", f"Share at most {SINGLE_MAX:,} single records at once, or a folder or a selection."
        )
    keyring, states = keyring_to(actor, actor.address), _states(actor, sorted(records))
    if set(states) != records:
        raise NotFound("There is no such record.")
    if any(state.latest.folder == 0 for state in states.values()):
        raise InvalidInput("records", "File this record into a folder before it is shared.")
    keyring.load(states.values(), latest_only=True)
    views = {view.record: view for view in record_views(keyring, list(states.values()))}
    return [_seal_record(keyring, grantee, state, views[record], terms) for record, state in states.items()]


def _seal_record(
    keyring: Keyring, grantee: PublicKey, state: RecordState, view: RecordView, terms: Terms
) -> SealedScope:
    actor, opened = keyring.actor, keyring.require(keyring.try_latest(state))
    about = ListAbout(Purpose.RECORD, actor.address, actor.address, state.record)
    payload = RecordPayload(opened.data_key, terms).to_bytes()
    return SealedScope(
        scope=state.record,
        epoch=0,
        listed=seal_list(actor.origin, about, payload, [actor.own_public_key, grantee]),
        words=f"Record “{opened.description.title}”, with its versions",
        records=[view],
    )


def seal_selection(actor: Actor, grantee: PublicKey, terms: Terms) -> SealedScope:
    """The data keys of the confirmed, filed records that the terms' kinds and period select.

    Raises InvalidInput for none, or more than 10,000.
    """
    keyring = keyring_to(actor, actor.address)
    states = _states(actor, None)
    keyring.load(states.values(), latest_only=True)
    keys: dict[bytes, bytes] = {}
    for record, state in states.items():
        opened = keyring.open_latest(state) if state.latest.folder and not state.closed else None
        if opened is None or (terms.kinds and opened.description.kind not in terms.kinds):
            continue
        day = opened.description.service_date
        if (terms.first_date and (day is None or day < terms.first_date)) or (
            terms.last_date and (day is None or day > terms.last_date)
        ):
            continue
        keys[raw(record)] = opened.data_key
    if not keys:
        raise InvalidInput("kinds", "No record of yours is of these kinds and in this period.")
    if len(keys) > SELECTION_MAX:
        raise InvalidInput("kinds", f"A selection has at most {SELECTION_MAX:,} records. Narrow it.")
    nonce = secrets.token_bytes(32)
    scope = word(selection_id(actor.address, nonce, keys))
    about = ListAbout(Purpose.SELECTION, actor.address, actor.address, scope)
    payload = SelectionPayload(nonce, keys, terms).to_bytes()
    chosen = [states[word(record)] for record in keys]
    return SealedScope(
        scope=scope,
        epoch=0,
        listed=seal_list(actor.origin, about, payload, [actor.own_public_key, grantee]),
        words=f"A selection of {_records(len(keys))}, as they are today; it does not grow",
        records=record_views(keyring, chosen),
        nonce=word(nonce),
    )


def _states(actor: Actor, records: list[str] | None) -> dict[str, RecordState]:
    rows = Record.objects.filter(patient=actor.address)
    return states_of(rows if records is None else rows.filter(pk__in=records))


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"
