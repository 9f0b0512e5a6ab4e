"""What an operator wants to see of sending and reading, from the database alone: it needs no node."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet, Sum
from django.utils import timezone

from chain.models import Act, ActState, Sender, Transaction
from chain.models.acts import LONGEST_PAUSE
from chain.models.sending import TransactionState
from chain.status.lag import Lag, measure_lag
from chain.status.summary import ran_lately
from chain.support.shared_clock import ended

SHOWN = 10  # rows of a list on the page; the admin's own lists have the rest
_DAY = timedelta(days=1)
_FEES_OF_DAYS = 7


@dataclass(frozen=True)
class QueueRow:
    """Waiting acts of a kind: by how far they are. `sent`: in a transaction; `seen`: in a block, not yet deep
    enough; `put_off`: tried in vain, and due later."""

    kind: str
    queued: int
    put_off: int
    sent: int
    seen: int

    @property
    def total(self) -> int:
        """Count all that wait."""
        return self.queued + self.put_off + self.sent + self.seen


@dataclass(frozen=True)
class SenderRow:
    """A relayer key. `days_left` is None while nothing was spent, or no balance was read; `silent`: the
    relayer has not run with it for a while."""

    sender: Sender
    days_left: float | None
    first_pending: int | None
    pending: int
    alarm: str
    silent: bool


@dataclass(frozen=True)
class TransactionRow:
    """A transaction that is not in a block yet; `blocks` since it was first given to a node."""

    transaction: Transaction
    blocks: int | None
    stuck: bool


@dataclass(frozen=True)
class Overview:
    """All of it, at one moment. `ended`: acts that failed or were returned in the last day, newest first."""

    measured_at: datetime
    lag: Lag
    queue: list[QueueRow]
    oldest_waiting: Act | None
    senders: list[SenderRow]
    open_transactions: list[TransactionRow]
    open_count: int
    stuck_count: int
    ended: list[Act]
    failed_count: int
    returned_count: int

    @property
    def waiting(self) -> int:
        """Return how many acts wait."""
        return sum(row.total for row in self.queue)

    @property
    def oldest_age(self) -> float:
        """Seconds that the oldest has waited."""
        oldest = self.oldest_waiting
        return (self.measured_at - oldest.created_at).total_seconds() if oldest else 0.0

    @property
    def heard_ago(self) -> float | None:
        """Seconds since the chain was last heard; None for never."""
        heard = self.lag.checked_at
        return (self.measured_at - heard).total_seconds() if heard else None

    @property
    def sending(self) -> bool:
        """Return whether any key sends, or could."""
        return any(not (row.silent or row.sender.held or row.sender.paused_reason) for row in self.senders)


def overview() -> Overview:
    """Sending and reading as they are now."""
    now, lag = timezone.now(), measure_lag()
    open_rows = Transaction.objects.filter(state=TransactionState.SENDING)
    ended = Act.objects.filter(state__in=(ActState.FAILED, ActState.RETURNED), settled_at__gte=now - _DAY)
    counts = dict(ended.order_by().values_list("state").annotate(count=Count("pk")))
    return Overview(
        measured_at=now,
        lag=lag,
        queue=_queue(),
        oldest_waiting=Act.objects.waiting().first(),
        senders=_sender_rows(open_rows, now),
        open_transactions=_transaction_rows(open_rows, lag.head),
        open_count=open_rows.count(),
        stuck_count=_stuck(open_rows, lag.head).count(),
        ended=list(ended.order_by("-settled_at")[:SHOWN]),
        failed_count=counts.get(ActState.FAILED, 0),
        returned_count=counts.get(ActState.RETURNED, 0),
    )


def _queue() -> list[QueueRow]:
    queued, later = Q(transaction=None, event=None), ~ended("retry_tick", LONGEST_PAUSE)
    rows = (
        Act.objects.waiting()
        .order_by("kind")
        .values("kind")
        .annotate(
            queued=Count("pk", filter=queued & ~later),
            put_off=Count("pk", filter=queued & later),
            sent=Count("pk", filter=Q(transaction__isnull=False, event=None)),
            seen=Count("pk", filter=Q(event__isnull=False)),
        )
    )
    return [QueueRow(**row) for row in rows]


def _sender_rows(open_rows: QuerySet[Transaction], now: datetime) -> list[SenderRow]:
    # By state first, which is quick: open transactions are few among all that a key has sent.
    by_key = open_rows.order_by().values_list("sender").annotate(first=Min("nonce"), count=Count("pk"))
    pending = {key: (first, count) for key, first, count in by_key}
    heard = set(Sender.objects.filter(ran_lately()).values_list("pk", flat=True))
    alarms = dict(open_rows.exclude(alarm="").order_by("-created_at").values_list("sender", "alarm"))
    return [
        SenderRow(
            sender=sender,
            days_left=days_left(sender, now),
            first_pending=pending.get(sender.pk, (None, 0))[0],
            pending=pending.get(sender.pk, (None, 0))[1],
            alarm=alarms.get(sender.pk, ""),
            silent=sender.pk not in heard,
        )
        for sender in Sender.objects.order_by("pk")
    ]


def days_left(sender: Sender, now: datetime) -> float | None:
    """Return how long a balance lasts, if it is spent as in the key's last (or first) seven days."""
    spent = sender.transactions.filter(created_at__gte=now - _FEES_OF_DAYS * _DAY).aggregate(
        fees=Sum("fee_paid"), since=Min("created_at", filter=Q(fee_paid__isnull=False))
    )
    fees = spent["fees"]
    if not fees or sender.balance is None:
        return None
    days: float = max((now - spent["since"]) / _DAY, 1.0)
    return float(sender.balance) / float(fees) * days


def _stuck(open_rows: QuerySet[Transaction], head: int) -> QuerySet[Transaction]:
    """Return those that raise an alarm, or have been with the nodes for too many blocks, replaced or not."""
    too_old = Q(first_sent__lte=head - settings.CHAIN_STUCK_BLOCKS)
    return open_rows.annotate(first_sent=Min("attempts__sent_block")).filter(too_old | ~Q(alarm=""))


def _transaction_rows(open_rows: QuerySet[Transaction], head: int) -> list[TransactionRow]:
    shown = list(open_rows.select_related("sender").order_by("sender", "nonce")[:SHOWN])
    shown_rows = open_rows.filter(pk__in=[row.pk for row in shown])
    stuck = set(_stuck(shown_rows, head).values_list("pk", flat=True))
    sent = dict(shown_rows.values_list("pk").annotate(first=Min("attempts__sent_block")))
    return [
        TransactionRow(row, None if sent[row.pk] is None else max(head - sent[row.pk], 0), row.pk in stuck)
        for row in shown
    ]
