"""Which epoch a folder is at, counting what has been accepted and waits."""

from django.db.models import Max

from chain.contract.slots import slot_epoch
from chain.models import Act, SignerState
from chain.restore.incarnation import advance, current
from records.crypto.folders import pack_epoch, unpack_epoch
from records.errors import Conflict
from records.models import FolderState, PatientFolder

EPOCHS_AHEAD = 255
LIVES_APART = 32  # more would let a folder run out of epochs


def current_epoch(patient: str, folder: int) -> int:
    """The packed epoch that the next act on this folder names. The inbox stays at (generation, 0)."""
    least = pack_epoch(generation_of(patient), 0)
    if folder == 0:
        return least
    known = FolderState.objects.filter(patient=patient, folder=folder)
    moves = Act.objects.waiting().filter(slot=slot_epoch(patient, folder))
    coming = moves.aggregate(last=Max("number"))["last"] or 0
    return max(least, *known.values_list("epoch", flat=True), coming)


def next_epoch(patient: str, folder: int) -> int:
    """The next packed epoch whose secret was never sealed to anybody.

    In each life of the database at most EPOCHS_AHEAD are handed out beyond what the chain has confirmed. So
    the first one after a restore, once the chain is read, is beyond all that were handed out before.
    Raises Conflict.
    """
    row = PatientFolder.objects.filter(patient=patient, folder=folder).first()
    highest = max(current_epoch(patient, folder), row.handed_epoch if row else 0)
    skipped = (EPOCHS_AHEAD + 1) * _lives_since(row)
    if not skipped and row is not None and highest >= _confirmed(row) + EPOCHS_AHEAD:
        raise Conflict(
            "Who has access to this folder was changed very often in a short time. The folder follows by "
            "itself once the changes before are confirmed."
        )
    generation, epoch = unpack_epoch(highest)
    if epoch + skipped >= 0xFFFF:
        raise Conflict("This folder has been shared and taken back too often. Move its records to another.")
    return pack_epoch(generation, epoch + skipped + 1)


def hand_out(patient: str, folder: int, packed_epoch: int, *, moves: bool = False) -> None:
    """Note, before anything is sealed, that this epoch's secret leaves the patient's hands.

    `moves`: it is the one that `next_epoch` gave.
    """
    life = advance().number
    row, _ = PatientFolder.objects.get_or_create(patient=patient, folder=folder)
    here = PatientFolder.objects.filter(pk=row.pk)
    if moves:
        here.exclude(incarnation=life).update(incarnation=life, handed_first=packed_epoch)
    here.filter(handed_epoch__lt=packed_epoch).update(handed_epoch=packed_epoch)


def _lives_since(row: PatientFolder | None) -> int:
    """Return how many lives of the database were since the folder was moved, from 0 to 32.

    A backup may be restored again and again, and each time what was done since is forgotten.
    """
    lives = current().number - (max(row.incarnation, 1) if row is not None else 1)
    return (lives - 1) % LIVES_APART + 1 if lives else 0


def _confirmed(row: PatientFolder) -> int:
    """The epoch from which those of this life are counted: the chain's, or the first that was handed out."""
    states = FolderState.objects.filter(patient=row.patient, folder=row.folder)
    least = max(row.handed_first, pack_epoch(generation_of(row.patient), 0))
    return max([least, *states.values_list("epoch", flat=True)])


def generation_of(account: str) -> int:
    """Return how often the account's keys have been replaced."""
    known = SignerState.objects.filter(account=account)
    return max(known.values_list("generation", flat=True), default=0)
