"""Accepting acts: the row is written in the user's transaction, and is the truth from then on."""

from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from chain.acts.messages import SignedAct
from chain.contract.slots import EXACT_SLOTS, GROWING_SLOTS, SERIAL_SLOTS, SERIAL_STEP
from chain.errors import ActConflict, ActError
from chain.models import Act, ActState, Event, SignerState
from chain.models.acts import RESERVING
from chain.node.deployment import domain
from chain.outbox.lanes import lane_of
from chain.outbox.precedence import acts_before
from chain.outbox.signature_check import check_signature
from chain.registry import announce_offer
from chain.restore.acceptance_log import note_acceptance
from chain.restore.incarnation import recent
from chain.support.shared_clock import SharedNow
from chain.support.wakeup import Wakeup

SERIALS_SKIPPED = 64  # for each life of the database
_RELAYER = Wakeup("chain.tasks.relay")


def submit_act(signed: SignedAct) -> Act:
    """Accept a signed act, inside the caller's transaction.

    The same act again gives its first row; one that the chain had refused waits again. ActError for a
    signature that is not its author's; ActConflict when the slot's number is taken, before anything is
    written. A handler of `on_act_offered` may raise, too.
    """
    act = signed.act
    digest = act.digest(domain())
    slot, number = act.slot
    try:
        replaced = check_signature(signed, digest)
        check_number(slot, number)
    except (ActError, ActConflict):
        if (known := Act.objects.reserving().filter(digest=digest).first()) is not None:
            return known
        raise
    announce_offer(act)
    needs = acts_before(act)
    if replaced is not None:
        needs.append(replaced)
    try:
        with transaction.atomic():
            row = Act.objects.create(
                kind=act.kind,
                author=act.author,
                subject=act.subject,
                fields=act.fields,
                digest=digest,
                signature=signed.signature,
                contract_signed=signed.contract_signed,
                slot=slot,
                number=number,
                lane=needs[0].lane if needs else lane_of(act.subject),
                waiting_tick=SharedNow(),
                incarnation=recent().number,
            )
    except IntegrityError:
        if (known := Act.objects.filter(digest=digest).first()) is not None:
            return known if known.state in RESERVING else _resubmit_known(known, needs)
        raise ActConflict("Another act came first. Look again, and decide anew.") from None
    if needs:
        row.needs.add(*needs)
    note_acceptance(row)
    _wake_on_commit()
    return row


def resubmit_act(act: Act) -> Act:
    """Let a refused act wait again, the same signed bytes: who refused it may take it by now.

    Inside the caller's transaction. ActConflict when its slot's number is taken.
    """
    if act.prepared.digest(domain()) != act.digest:
        raise ActConflict("This cannot be sent again as it was signed. Look again, and decide anew.")
    check_number(act.slot, act.number)
    Act.objects.filter(pk=act.pk, state__in=(ActState.FAILED, ActState.RETURNED)).update(
        state=ActState.WAITING,
        transaction=None,
        settled_at=None,
        refused_block=None,
        retry_tick=None,
        error="",
        error_code="",
        waiting_tick=SharedNow(),
    )
    act.refresh_from_db()
    _wake_on_commit()
    return act


def _resubmit_known(known: Act, needs: list[Act]) -> Act:
    """Take an act that was signed again, the same to the last bit: its author still wants it."""
    try:
        with transaction.atomic():
            known = resubmit_act(known)
    except IntegrityError:
        raise ActConflict("Another act came first. Look again, and decide anew.") from None
    known.needs.add(*needs)
    return known


def last_number(slot: str) -> int:
    """Return the highest number of a slot among waiting and confirmed acts and all events seen; 0 if none."""
    known = Act.objects.reserving().filter(slot=slot).aggregate(last=Max("number"))["last"] or 0
    seen = Event.objects.filter(slot=slot).aggregate(last=Max("number"))["last"] or 0
    last: int = max(known, seen)
    topic, _, account = slot.partition(":")
    if topic == "key" and (state := SignerState.objects.filter(account=account).first()):
        last = max(last, state.key_version)
    return last


def next_number(slot: str) -> int:
    """Return the serial, version or epoch that the next act on a slot should name; 1 if there was none.

    Serials skip those that an earlier life of the database may have given and forgotten: the newest word wins
    against a signed act that is still somewhere.
    """
    return last_number(slot) + 1 + _skipped(slot)


def _skipped(slot: str) -> int:
    """Return how many serials the first act on a slot leaves out in this life of the database."""
    life = recent().number
    if life == 1 or slot.split(":", 1)[0] not in SERIAL_SLOTS | GROWING_SLOTS:
        return 0
    before = Act.objects.filter(slot=slot).aggregate(last=Max("incarnation"))["last"] or 1
    return min((life - before) * SERIALS_SKIPPED, SERIAL_STEP - 1)


def check_number(slot: str, number: int) -> None:
    """ActConflict unless the number can follow what the slot has, waiting acts counted."""
    topic, last = slot.split(":", 1)[0], last_number(slot)
    if number <= last:
        raise ActConflict("This has been done or changed meanwhile. Look again, and decide anew.")
    if topic in EXACT_SLOTS and number != last + 1:
        raise ActConflict(f"The next version would be {last + 1}, not {number}.")
    if topic in SERIAL_SLOTS and number > last + SERIAL_STEP:
        raise ActConflict(f"The serial {number} is too far from the last, {last}.")


def wake_relayer() -> None:
    """Ask the relayer to look now. A lost message costs a second: the sweep looks anyway."""
    _RELAYER.give()


def _wake_on_commit() -> None:
    if not any(entry[1] is wake_relayer for entry in connection.run_on_commit):
        transaction.on_commit(wake_relayer)
