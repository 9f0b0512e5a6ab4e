"""Taking in what others left, or refusing it."""

from django.db import transaction

from accounts.actor import Actor
from chain.acts import prepare_act
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox import next_number, submit_act
from chain.slots import slot_block
from records.errors import Conflict, NotFound
from records.models import BlockedSender
from records.services import documents, writing
from records.shapes import RecordView


def file_record(*, actor: Actor, record: str, folder: int) -> RecordView:
    """Take a record out of the inbox into a folder. It must open under its key first; again does nothing.

    Raises InvalidInput, NotFound, AccessRefused (it does not open), Conflict, VaultClosed.
    """
    return documents.move_record(actor=actor, record=record, folder=folder)


def refuse_record(*, actor: Actor, record: str) -> Act:
    """Refuse a record that lies in one's inbox: it takes no further versions. Again gives the same act.

    Raises NotFound, Conflict, VaultClosed.
    """
    writing.require_keys(actor)
    state = documents.visible_state(actor, record)
    if state.patient != actor.address:
        raise NotFound("There is no such record.")
    if state.latest.folder != 0:
        raise Conflict("This record was taken in already.")
    return documents.close_record(actor=actor, record=record, reason="refused")


def block_sender(*, actor: Actor, sender: str, blocked: bool = True) -> Act | None:
    """Take no more inbox records from a doctor or institution (or take them again). None if it is so already.

    Raises Conflict, VaultClosed.
    """
    row = BlockedSender.objects.filter(patient=actor.address, sender=sender).first()
    if (row.blocked if row else False) == blocked:
        return None
    serial = next_number(slot_block(actor.address, sender))
    act = prepare_act("BlockSender", author=actor.address, sender=sender, blocked=blocked, serial=serial)
    try:
        with transaction.atomic():
            return submit_act(actor.sign(act))
    except ActConflict as error:
        raise Conflict(str(error)) from error
