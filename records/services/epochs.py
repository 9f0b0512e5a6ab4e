"""Which epoch a folder is at, counting what has been accepted and waits."""

from django.db.models import Max

from chain.models import Act, SignerState
from chain.slots import slot_epoch
from records.crypto.folders import pack_epoch, unpack_epoch
from records.errors import Conflict
from records.models import FolderState, PatientFolder


def current_epoch(patient: str, folder: int) -> int:
    """The packed epoch that the next act on this folder names; the inbox stays at (generation, 0)."""
    least = pack_epoch(generation_of(patient), 0)
    if folder == 0:
        return least
    known = FolderState.objects.filter(patient=patient, folder=folder)
    moves = Act.objects.waiting().filter(slot=slot_epoch(patient, folder))
    coming = moves.aggregate(last=Max("number"))["last"] or 0
    return max(least, *known.values_list("epoch", flat=True), coming)


def next_epoch(patient: str, folder: int) -> int:
    """The next packed epoch whose secret was never sealed to anybody."""
    known = PatientFolder.objects.filter(patient=patient, folder=folder).first()
    highest = max(current_epoch(patient, folder), known.handed_epoch if known else 0)
    generation, epoch = unpack_epoch(highest)
    if epoch == 0xFFFF:
        raise Conflict("This folder has been shared and taken back too often. Move its records to another.")
    return pack_epoch(generation, epoch + 1)


def hand_out(patient: str, folder: int, packed_epoch: int) -> None:
    """Note, before anything is sealed, that this epoch's secret leaves the patient's hands."""
    row, _ = PatientFolder.objects.get_or_create(patient=patient, folder=folder)
    PatientFolder.objects.filter(pk=row.pk, handed_epoch__lt=packed_epoch).update(handed_epoch=packed_epoch)


def generation_of(account: str) -> int:
    """How often the account's keys have been replaced."""
    known = SignerState.objects.filter(account=account)
    return max(known.values_list("generation", flat=True), default=0)
