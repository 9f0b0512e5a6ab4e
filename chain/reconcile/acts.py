"""Whether acts, their events, and the transactions that carried them agree with one another and the chain."""

from collections.abc import Iterable, Iterator

from django.db import transaction
from django.db.models import F, Q

from chain.errors import RpcRefused
from chain.models import Act, ActState, Event, Sender, Transaction
from chain.models.sending import TransactionState
from chain.node import client, rpc
from chain.node.deployment import deployment, domains
from chain.outbox.precedence import BY_TRANSACTION, take_back
from chain.outbox.settle import link_act
from chain.reconcile.run import Check, Finding, Repair, RunOptions, applied_block, row_chunks

_RESYNC = "Where it cannot be repaired, `manage.py resync` asks the chain."
_RELAYER = "The relayer mends this when it runs; see what it says on the operations page of the admin."
_OPEN, _LOST = TransactionState.SENDING, TransactionState.LOST
_MINED = (TransactionState.MINED, TransactionState.CONFIRMED)


def find_confirmed_without_event(options: RunOptions) -> Iterator[Finding]:
    """Acts that count as confirmed and have no event that equals them in every field."""
    confirmed = Act.objects.confirmed().select_related("event")
    for part in row_chunks(confirmed, options):
        bare = [act for act in part if act.event is None or act.event.act_digest != act.digest]
        events = _events_of(bare)
        for act in bare:
            event = events.get(act.digest)
            if event is None:
                yield Finding(_named(act), "confirmed, but its event is not in the archive", _returning(act))
            else:
                yield Finding(_named(act), "confirmed, but not linked to its event", _linking(act, event))


def find_settled_on_chain(options: RunOptions) -> Iterator[Finding]:
    """Acts that are not confirmed although an event that was applied equals them in every field."""
    for part in row_chunks(Act.objects.exclude(state=ActState.CONFIRMED), options):
        events = _events_of(part)
        for act in part:
            if (event := events.get(act.digest)) is not None and event.applied:
                what = f"{act.state}, although its event was applied"
                yield Finding(_named(act), what, _linking(act, event))


def find_wrong_links(options: RunOptions) -> Iterator[Finding]:
    """Acts not confirmed that are linked to an event of another act, so that nothing sends them."""
    linked = Act.objects.exclude(state=ActState.CONFIRMED).exclude(event=None)
    wrong = linked.exclude(event__act_digest=F("digest"))
    for part in row_chunks(wrong, options):
        for act in part:
            yield Finding(_named(act), "linked to an event of another act", _unlinking(act))


def find_changed_acts(options: RunOptions) -> Iterator[Finding]:
    """Acts whose columns do not follow from the fields that were signed."""
    spoken = domains()
    for part in row_chunks(Act.objects.all(), options):
        for act in part:
            prepared = act.prepared
            if all(prepared.digest(domain) != act.digest for domain in reversed(spoken)):
                yield Finding(_named(act), "its fields are not those of its digest")
            elif (act.author, act.subject, (act.slot, act.number)) != (
                prepared.author,
                prepared.subject,
                prepared.slot,
            ):
                yield Finding(_named(act), "its author, subject or slot is not that of its fields")


def find_stranded_acts(options: RunOptions) -> Iterator[Finding]:
    """Waiting acts in a transaction that is over and has left no event: nothing sends them again."""
    over = Q(transaction__state=_LOST) | Q(
        transaction__state=TransactionState.CONFIRMED, transaction__block_number__lte=applied_block()
    )
    stranded = Act.objects.waiting().filter(over, event=None)
    stranded = stranded.exclude(digest__in=Event.objects.values("act_digest"))  # C202 says that better
    for part in row_chunks(stranded, options):
        for act in part:
            yield Finding(_named(act), "waits in a transaction that is over", _queueing(act))


def find_vanished_transactions(options: RunOptions) -> Iterator[Finding]:
    """Transactions that count as mined with a nonce that the chain has not seen used."""
    for sender in Sender.objects.order_by("pk"):
        used = client.nonce(sender.address)
        rows = Transaction.objects.filter(sender=sender, state__in=_MINED, nonce__gte=used)
        for part in row_chunks(rows, options):
            for row in part:
                what = f"counts as {row.state}, but the chain has used only the nonces below {used}"
                yield Finding(_nonce(row.sender_id, row.nonce), what)


def find_nonce_gaps(options: RunOptions) -> Iterator[Finding]:
    """Nonces between the chain's and the highest of ours that no transaction has: what follows is stuck."""
    for sender in Sender.objects.order_by("pk"):
        used = client.nonce(sender.address)
        open_rows = Transaction.objects.filter(sender=sender, state=_OPEN, nonce__gte=used)
        expected = used
        for nonce in open_rows.order_by("nonce").values_list("nonce", flat=True):
            options.tick(1)
            for missing in range(expected, nonce):
                yield Finding(_nonce(sender.pk, missing), "no transaction has it; those after it are stuck")
            expected = nonce + 1


CHECKS = (
    Check("C201", "acts count as confirmed without their event", find_confirmed_without_event, _RESYNC),
    Check("C202", "acts are on the chain and not confirmed", find_settled_on_chain),
    Check("C203", "acts are linked to another act's event", find_wrong_links),
    Check("C204", "acts differ from what was signed", find_changed_acts),
    Check("C205", "acts wait in a transaction that is over", find_stranded_acts),
    Check("C301", "transactions count as mined and are not", find_vanished_transactions, _RELAYER),
    Check("C302", "nonces are missing before waiting transactions", find_nonce_gaps, _RELAYER),
)


def _named(act: Act) -> str:
    return f"act {act.pk} ({act.kind})"


def _nonce(sender: int, nonce: int) -> str:
    return f"sender {sender}, nonce {nonce}"


def _events_of(acts: Iterable[Act]) -> dict[str, Event]:
    events = Event.objects.filter(act_digest__in=[act.digest for act in acts])
    return {event.act_digest: event for event in events}


def _linking(act: Act, event: Event) -> Repair:
    def link() -> str:
        link_act(act, event)
        return "linked to its event"

    return link


def _unlinking(act: Act) -> Repair:
    def unlink() -> str:
        event = _events_of([act]).get(act.digest)
        if event is not None:
            link_act(act, event)
            return "linked to its own event"
        return "unlinked" if _queue(act) else ""

    return unlink


def _queueing(act: Act) -> Repair:
    return lambda: "returned to the queue" if _queue(act) else ""


def _returning(act: Act) -> Repair | None:
    """Back to the queue, if the contract would take the act: then it surely is not on the chain.

    What the contract refuses may be there, and only missing in the archive.
    """
    try:
        rpc.call(deployment().address, act.calldata, at=applied_block())
    except RpcRefused:
        return None

    def return_it() -> str:
        with transaction.atomic():
            changed = take_back(Act.objects.confirmed().filter(pk=act.pk), BY_TRANSACTION)
            return "returned to the queue" if changed and _queue(act) else ""

    return return_it


def _queue(act: Act) -> bool:
    waiting = Act.objects.waiting().filter(pk=act.pk)
    return bool(waiting.update(event=None, transaction=None, retry_tick=None, refused_block=None))
