"""Folders: the unit of sharing. Numbers mean nothing; a name is sealed under the folder key."""

from collections.abc import Container
from itertools import chain

from django.db import IntegrityError, transaction
from django.db.models import Count, Max

from accounts.actor import Actor
from accounts.crypto.errors import CryptoError
from accounts.services.limits import check_total
from chain.acts.messages import prepare_act
from chain.contract.slots import folder_scope, slot_name
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox.submit import next_number, submit_act
from chain.restore.incarnation import recent
from chain.support.pasted_text import can_be_seen, plain_name, visible
from records.access import standing_grants
from records.content import keep_blob
from records.crypto.errors import BadName
from records.crypto.folders import name_epoch, open_name, seal_name
from records.errors import Conflict, InvalidInput, NotFound, StoreDown
from records.models import FolderState, PatientFolder, Record
from records.services.epochs import current_epoch
from records.services.folder_names import sealed_names
from records.services.keyring import Keyring, keyring_to
from records.services.naming import people_named_to
from records.services.states import act_state
from records.shapes import ActState, FolderView, SharedWith

INBOX, GENERAL, LAST = 0, 1, 2**16 - 1
GENERAL_NAME = "General"
NAME_MAX = 80  # characters
FOLDERS_SKIPPED = 200


def create_folder(*, actor: Actor, name: str) -> int:
    """A new folder, named on the chain; returns its number. Raises InvalidInput, Conflict, VaultClosed."""
    keyring = keyring_to(actor, actor.address)
    taken = folder_names(keyring, folder_numbers(actor.address))
    check_total("FOLDERS_PER_PATIENT", len(taken))
    name = _checked(name, taken)
    folder = _free_number(actor.address, taken)
    _save_name(keyring, folder, name, fresh=True)
    return folder


def rename_folder(*, actor: Actor, folder: int, name: str) -> None:
    """Another name for a folder. Raises NotFound, InvalidInput, Conflict, VaultClosed."""
    keyring = keyring_to(actor, actor.address)
    taken = folder_names(keyring, folder_numbers(actor.address))
    if folder not in taken:
        raise NotFound("There is no such folder.")
    if taken.get(folder) == plain_name(name):
        return
    _save_name(keyring, folder, _checked(name, taken), fresh=False)


def list_folders(*, actor: Actor) -> list[FolderView]:
    """The actor's own folders, the inbox not among them."""
    keyring = keyring_to(actor, actor.address)
    numbers = folder_numbers(actor.address)
    names = folder_names(keyring, numbers)
    counted = Record.objects.filter(patient=actor.address).values("folder").annotate(count=Count("pk"))
    counts = {row["folder"]: row["count"] for row in counted}
    shared = _shared_with(actor)
    states = _name_states(actor.address)
    return [
        FolderView(
            number=number,
            name=names[number],
            record_count=counts.get(number, 0),
            shared_with=shared.get(folder_scope(number), []),
            state=states.get(number, "confirmed"),
        )
        for number in numbers
    ]


def require_folder(actor: Actor, folder: int) -> None:
    """Raise NotFound unless the actor has this folder."""
    if not _has_folder(actor.address, folder):
        raise NotFound("There is no such folder.")


def folder_numbers(patient: str) -> list[int]:
    """A patient's folders; "General" is there from the beginning."""
    named = PatientFolder.objects.filter(patient=patient).values_list("folder", flat=True)
    known = FolderState.objects.filter(patient=patient).values_list("folder", flat=True)
    used = Record.objects.filter(patient=patient).values_list("folder", flat=True).distinct()
    return sorted({GENERAL, *named, *known, *used} - {INBOX})


def _has_folder(patient: str, folder: int) -> bool:
    """Whether `folder_numbers` has it, asking no more than that needs."""
    if folder in (INBOX, GENERAL):
        return folder == GENERAL
    named = PatientFolder.objects.filter(patient=patient, folder=folder)
    known = FolderState.objects.filter(patient=patient, folder=folder)
    return named.exists() or known.exists() or Record.objects.filter(patient=patient, folder=folder).exists()


def folder_names(keyring: Keyring, numbers: list[int]) -> dict[int, str]:
    """Names that this keyring opens; "Folder 3" where it does not."""
    names = names_of_folders({keyring.patient: keyring}, {(keyring.patient, number) for number in numbers})
    return {number: names[keyring.patient, number] for number in numbers}


def names_of_folders(
    keyrings: dict[str, Keyring], folders: set[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """The same for folders of several patients, in as many statements."""
    known = {patient: keyring.sealed_names for patient, keyring in keyrings.items()}
    missing = {(patient, number) for patient, number in folders if number not in known[patient]}
    sealed = sealed_names(missing) if missing else {}
    for patient, number in missing:
        known[patient][number] = sealed.get((patient, number))
    return {
        (patient, number): _name(keyrings[patient], number, known[patient][number])
        for patient, number in folders
    }


def _free_number(patient: str, taken: Container[int]) -> int:
    """The lowest number that no folder has. Raises InvalidInput.

    After a restore, folders may be forgotten whose secrets are with somebody: the numbers after those that
    are known are left out first.
    """
    least: int = GENERAL + 1
    life = recent().number
    if life > 1:
        rows = PatientFolder.objects.filter(patient=patient)
        made = rows.filter(incarnation=life, handed_first=0).aggregate(last=Max("folder"))["last"]
        least = made + 1 if made else max(folder_numbers(patient)) + 1 + FOLDERS_SKIPPED
    for number in chain(range(least, LAST + 1), range(GENERAL + 1, least)):
        if number not in taken:
            return number
    raise InvalidInput("name", "There is no room for another folder.")


def _name(keyring: Keyring, folder: int, sealed: bytes | None) -> str:
    if folder == INBOX:
        return "Inbox"
    if sealed is None:
        return GENERAL_NAME if folder == GENERAL else f"Folder {folder}"
    try:
        key = keyring.folder_key(folder, name_epoch(sealed))
        return open_name(key, sealed) if key is not None else f"Folder {folder}"
    except (CryptoError, StoreDown):
        return f"Folder {folder}"


def _checked(name: str, taken: dict[int, str]) -> str:
    name = plain_name(name)
    if not can_be_seen(name):
        raise InvalidInput("name", "Give the folder a name.")
    if len(name) > NAME_MAX:
        raise InvalidInput("name", f"A folder's name has at most {NAME_MAX} characters.")
    if visible(name).casefold() in {visible(other).casefold() for other in taken.values()}:
        raise InvalidInput("name", "There is a folder of this name already.")
    return name


def _save_name(keyring: Keyring, folder: int, name: str, *, fresh: bool) -> None:
    patient = keyring.patient
    epoch = current_epoch(patient, folder)
    key = keyring.folder_key(folder, epoch)
    if key is None:
        raise NotFound("There is no such folder.")
    try:
        sealed = seal_name(key, epoch, name)
    except BadName as error:
        raise InvalidInput("name", "A folder's name has at most 255 bytes: about 60 pictograms.") from error
    try:
        with transaction.atomic():
            if fresh:
                PatientFolder.objects.create(
                    patient=patient, folder=folder, sealed_name=sealed, incarnation=recent().number
                )
            else:
                PatientFolder.objects.update_or_create(
                    patient=patient, folder=folder, defaults={"sealed_name": sealed}
                )
            act = prepare_act(
                "NameFolder",
                author=patient,
                folder=folder,
                name=keep_blob(sealed),
                serial=next_number(slot_name(patient, folder)),
            )
            submit_act(keyring.actor.sign(act))
    except (IntegrityError, ActConflict) as error:
        raise Conflict("The folders were changed elsewhere just now. Look again.") from error


def _shared_with(actor: Actor) -> dict[str, list[SharedWith]]:
    grants = standing_grants(actor.address)
    parties = {grant.grantee for grant in grants} | {grant.via for grant in grants if grant.via}
    people = people_named_to(actor, parties)
    shared: dict[str, list[SharedWith]] = {}
    for grant in grants:
        shared.setdefault(grant.scope, []).append(
            SharedWith(
                address=grant.grantee,
                name=people[grant.grantee].name,
                via=grant.via,
                via_name=people[grant.via].name if grant.via else "",
                write=grant.writes,
                until=grant.expiry,
            )
        )
    return shared


def _name_states(patient: str) -> dict[int, ActState]:
    acts = Act.objects.by(patient).of_kind("NameFolder")
    newest = acts.values("slot").annotate(last=Max("number"))
    wanted = {(row["slot"], row["last"]) for row in newest}
    return {act.fields["folder"]: act_state(act) for act in acts if (act.slot, act.number) in wanted}
