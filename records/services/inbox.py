"""Taking in what others left, or refusing it."""

from collections import Counter

from django.db import transaction

from accounts.actor import Actor
from accounts.models import Account
from chain.acts.messages import prepare_act
from chain.contract.slots import slot_block
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox.submit import next_number, submit_act
from records.errors import AccessRefused, Conflict, InvalidInput, NotFound
from records.services import documents, writing
from records.services.limits import folded_in_inbox
from records.services.naming import people_named_to
from records.services.senders import words_of
from records.shapes import FoldedView, RecordView

SENDERS_NAMED = 10


def file_record(*, actor: Actor, record: str, folder: int) -> RecordView:
    """Take a record out of the inbox into a folder. It must open under its key first. Again does nothing.

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


def list_folded(*, actor: Actor) -> list[FoldedView]:
    """Of whom the inbox holds more records than it shows, and how many more. The last may be "others"."""
    counts = Counter(folded_in_inbox(actor.address).values_list("author", flat=True))
    most = counts.most_common(SENDERS_NAMED)
    people = people_named_to(actor, [author for author, _ in most])
    views = [FoldedView(author, people[author].name, count) for author, count in most]
    rest = counts.total() - sum(count for _, count in most)
    return [*views, FoldedView("", "others", rest)] if rest else views


def block_sender(*, actor: Actor, sender: str, blocked: bool = True) -> None:
    """Take no more inbox records from a doctor or institution, or take them again.

    What lies in the inbox stays there. Does nothing where that was the last word. Raises AccessRefused,
    InvalidInput, Conflict, VaultClosed.
    """
    writing.require_keys(actor)
    if actor.kind != Account.Kind.PATIENT:
        raise AccessRefused("Only patients have an inbox.")
    if sender == actor.address:
        raise InvalidInput("sender", "This is your own address. Give that of a doctor or institution.")
    said = words_of(actor.address).get(sender, [])
    if (said[-1].blocked if said else False) == blocked:
        return
    serial = next_number(slot_block(actor.address, sender))
    act = prepare_act("BlockSender", author=actor.address, sender=sender, blocked=blocked, serial=serial)
    try:
        with transaction.atomic():
            submit_act(actor.sign(act))
    except ActConflict as error:
        raise Conflict(str(error)) from error
