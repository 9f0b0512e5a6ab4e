"""Accepting acts: the row is written in the user's transaction, and is the truth from then on."""

from django.db import IntegrityError, connection, transaction
from django.db.models import Max, Q

from chain.acts import PreparedAct, SignedAct
from chain.deployment import domain
from chain.errors import ActConflict, ActError
from chain.handlers import announce_offer
from chain.models import Act, ActState, Event, SignerState
from chain.models.acts import RESERVING
from chain.nudging import Nudge
from chain.relayer.lanes import lane_of
from chain.signers import check_signature
from chain.slots import EXACT_SLOTS, SERIAL_SLOTS, SERIAL_STEP, folder_scope

_RELAYER = Nudge("chain.tasks.relay")


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
    needs = _needs(act)
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
            )
    except IntegrityError:
        if (known := Act.objects.filter(digest=digest).first()) is not None:
            return known if known.state in RESERVING else _resubmit_known(known, needs)
        raise ActConflict("Another act came first. Look again, and decide anew.") from None
    if needs:
        row.needs.add(*needs)
    _nudge_on_commit()
    return row


def resubmit_act(act: Act) -> Act:
    """Let a refused act wait again, the same signed bytes: who refused it may take it by now.

    Inside the caller's transaction. ActConflict when its slot's number is taken.
    """
    check_number(act.slot, act.number)
    Act.objects.filter(pk=act.pk, state__in=(ActState.FAILED, ActState.RETURNED)).update(
        state=ActState.WAITING,
        transaction=None,
        settled_at=None,
        refused_block=None,
        retry_at=None,
        error="",
        error_code="",
    )
    act.refresh_from_db()
    _nudge_on_commit()
    return act


def _resubmit_known(known: Act, needs: list[Act]) -> Act:
    """An act without random fields is signed again, the same to the last bit: its author still wants it."""
    try:
        with transaction.atomic():
            known = resubmit_act(known)
    except IntegrityError:
        raise ActConflict("Another act came first. Look again, and decide anew.") from None
    known.needs.add(*needs)
    return known


def last_number(slot: str) -> int:
    """The highest number of a slot among waiting and confirmed acts and all events seen; 0 if none."""
    known = Act.objects.reserving().filter(slot=slot).aggregate(last=Max("number"))["last"] or 0
    seen = Event.objects.filter(slot=slot).aggregate(last=Max("number"))["last"] or 0
    last: int = max(known, seen)
    topic, _, account = slot.partition(":")
    if topic == "key" and (state := SignerState.objects.filter(account=account).first()):
        last = max(last, state.key_version)
    return last


def next_number(slot: str) -> int:
    """The serial, version or epoch that the next act on a slot should name; 1 if there was none."""
    return last_number(slot) + 1


def check_number(slot: str, number: int) -> None:
    """ActConflict unless the number can follow what the slot has, waiting acts counted."""
    topic, last = slot.split(":", 1)[0], last_number(slot)
    if number <= last:
        raise ActConflict("This has been done or changed meanwhile. Look again, and decide anew.")
    if topic in EXACT_SLOTS and number != last + 1:
        raise ActConflict(f"The next version would be {last + 1}, not {number}.")
    if topic in SERIAL_SLOTS and number > last + SERIAL_STEP:
        raise ActConflict(f"The serial {number} is too far from the last, {last}.")


def _needs(act: PreparedAct) -> list[Act]:
    """The waiting acts that go first, oldest first."""
    limits = act.builds_on
    wanted = Q(slot__in={slot for slot, _ in limits}) | _spoilt_by(act)
    return [one for one in Act.objects.waiting().filter(wanted) if _goes_first(one, limits)]


def _goes_first(act: Act, limits: list[tuple[str, int | None]]) -> bool:
    """Whether a waiting act is within the limits of its slot, if it has any."""
    most = [at_most for slot, at_most in limits if slot == act.slot]
    return not most or any(at_most is None or act.number <= at_most for at_most in most)


def _spoilt_by(act: PreparedAct) -> Q:
    """The acts that the chain would refuse once it has this one: of the epoch, or the signer, before it."""
    writes = Q(subject=act.subject, kind__in=("NewRecord", "ModifyRecord"))
    if act.kind == "RekeyFolder":
        folder = act.fields["folder"]
        grants = Q(author=act.author, kind="GrantAccess", fields__scope=folder_scope(folder))
        return (writes & Q(fields__folder=folder) | grants) & Q(fields__epoch__lte=act.fields["fromEpoch"])
    # A new generation of keys is one of every folder's epochs too.
    return Q(author=act.author) | writes if act.kind == "ReplaceKeys" else Q()


def nudge() -> None:
    """Ask the relayer to look now. A lost message costs a second: the sweep looks anyway."""
    _RELAYER.give()


def _nudge_on_commit() -> None:
    if not any(entry[1] is nudge for entry in connection.run_on_commit):
        transaction.on_commit(nudge)
