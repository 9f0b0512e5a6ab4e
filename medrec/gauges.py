"""Metrics from the tables, read at each scrape, so that any web process answers for the whole portal.

No label holds a person's address. A relayer key's own address is the only one.
"""

from collections.abc import Iterable, Iterator

from django.db import DatabaseError
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from accounts.models import Notification
from chain.models import Act, ActState, Transaction
from chain.models.sending import TransactionState
from chain.status.health import check_health
from chain.status.overview import Overview, overview
from records.models import Fetch, Holding, PinNode

_WEI = 10**18


class PortalCollector(Collector):
    """Queue, chain, relayer keys and health. Without a database only the health checks are left."""

    def collect(self) -> Iterable[Metric]:
        """Every metric, now."""
        found = [_health()]
        try:
            seen = overview()
            found += [*_store(), *_acts(seen), *_chain(seen), *_relayers(seen), *_transactions(seen)]
            found += _mails()
        except DatabaseError:
            return found[:1]
        return found


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"medrec_{name}", meaning, value=value)


def _labelled(
    name: str, meaning: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(f"medrec_{name}", meaning, labels=labels)
    for given, value in values:
        family.add_metric(given, value)
    return family


def _health() -> Metric:
    answers = [((one.name,), float(one.ok)) for one in check_health()]
    return _labelled("up", "1 where a part that the portal stands on answers.", ("check",), answers)


def _acts(seen: Overview) -> Iterator[Metric]:
    counts = dict(Act.objects.order_by().values_list("state").annotate(count=Count("pk")))
    by_state = [((state,), counts.get(state, 0)) for state in ActState.values]
    yield _labelled("acts", "Acts in the outbox, by state.", ("state",), by_state)
    stages = ("queued", "put_off", "sent", "seen")
    waiting = [((row.kind, stage), getattr(row, stage)) for row in seen.queue for stage in stages]
    yield _labelled("acts_waiting", "Acts that wait, by kind and stage.", ("kind", "stage"), waiting)
    yield _gauge("act_oldest_waiting_seconds", "Age of the oldest act that waits.", seen.oldest_age)


def _chain(seen: Overview) -> Iterator[Metric]:
    lag = seen.lag
    yield _gauge("chain_head_block", "The newest block that was heard of.", lag.head)
    yield _gauge("chain_indexed_block", "The last block whose events were applied.", lag.indexed)
    yield _gauge("chain_lag_blocks", "Blocks deep enough, and not yet applied.", lag.blocks)
    yield _gauge("chain_lag_seconds", "For how long reading is behind; 0 while it is not.", lag.seconds)
    yield _gauge("chain_sync_failing", "1 while the chain cannot be read.", float(bool(lag.error)))


def _relayers(seen: Overview) -> Iterator[Metric]:
    label, rows = ("address",), [((row.sender.address,), row) for row in seen.senders]
    balances = [(at, float(row.sender.balance / _WEI)) for at, row in rows if row.sender.balance is not None]
    yield _labelled("relayer_balance_ether", "A relayer key's balance, as last read.", label, balances)
    days = [(at, row.days_left) for at, row in rows if row.days_left is not None]
    yield _labelled("relayer_days_left", "How long the balance lasts at last week's spending.", label, days)
    paused = [(at, float(bool(row.sender.held or row.sender.paused_reason))) for at, row in rows]
    yield _labelled("relayer_paused", "1 while a key sends nothing, for whatever reason.", label, paused)
    silent = [(at, float(row.silent)) for at, row in rows]
    yield _labelled("relayer_silent", "1 while the relayer does not run with a key.", label, silent)
    pending = [(at, float(row.pending)) for at, row in rows]
    yield _labelled("relayer_pending_transactions", "Nonces sent and not in a block.", label, pending)


def _store() -> Iterator[Metric]:
    kept = Holding.objects.filter(state=Holding.State.KEPT)
    counts = {
        "kept": kept.count(),
        "lost": kept.exclude(lost_since=None).count(),
        "unnamed": kept.exclude(unnamed_since=None).count(),
        "erasing": Holding.objects.filter(state=Holding.State.ERASING).count(),
    }
    by_state = [((state,), count) for state, count in counts.items()]
    yield _labelled("store_contents", "What this portal put into the store, by state.", ("state",), by_state)
    now = timezone.now()
    fetches = dict(Fetch.objects.order_by().values_list("state").annotate(count=Count("pk")))
    by_state = [((state,), fetches.get(state, 0)) for state in Fetch.State.values]
    yield _labelled("store_fetches", "Files that other portals put, by state.", ("state",), by_state)
    oldest = Fetch.objects.filter(state=Fetch.State.WANTED).aggregate(first=Min("since"))["first"]
    age = (now - oldest).total_seconds() if oldest else 0.0
    yield _gauge("store_fetch_oldest_wanted_seconds", "Age of the file that is waited for longest.", age)
    nodes = list(PinNode.objects.counted())
    copies = [
        ((node.address, state), getattr(node, state))
        for node in nodes
        for state in ("held", "wanted", "leaving")
    ]
    yield _labelled("store_copies", "Contents on a further node, by state.", ("node", "state"), copies)
    ages = [
        ((one.address,), (now - one.wanted_since).total_seconds() if one.wanted_since else 0.0)
        for one in nodes
    ]
    yield _labelled("store_copy_oldest_wanted_seconds", "Age of what it lacks longest.", ("node",), ages)
    failing = [((node.address,), float(node.failing_since is not None)) for node in nodes]
    yield _labelled("store_node_failing", "1 while a further node does not answer.", ("node",), failing)


def _mails() -> Iterator[Metric]:
    mails = Notification.objects.all()
    endings = dict(mails.exclude(ended_at=None).values_list("ended_as").annotate(count=Count("pk")))
    counts = {"waiting": mails.waiting().count(), "sent": mails.exclude(sent_at=None).count()} | {
        ending: endings.get(ending, 0) for ending in Notification.Ending.values
    }
    by_state = [((state,), count) for state, count in counts.items()]
    yield _labelled("mails", "Mails of the last seven days, by state.", ("state",), by_state)
    oldest = mails.waiting().aggregate(since=Min("created_at"))["since"]
    age = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    yield _gauge("mail_oldest_waiting_seconds", "Age of the oldest mail that waits.", age)
    yield _gauge("mail_failing", "1 while mails wait that were tried in vain.", float(mails.late().exists()))


def _transactions(seen: Overview) -> Iterator[Metric]:
    counts = dict(Transaction.objects.order_by().values_list("state").annotate(count=Count("pk")))
    by_state = [((state,), counts.get(state, 0)) for state in TransactionState.values]
    yield _labelled("transactions", "Transactions, by state.", ("state",), by_state)
    alarms = Transaction.objects.filter(state=TransactionState.SENDING).exclude(alarm="").count()
    yield _gauge("transactions_stuck", "Transactions not in a block for too many blocks.", seen.stuck_count)
    yield _gauge("transaction_alarms", "Transactions that need an operator.", alarms)
