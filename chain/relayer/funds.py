"""What a relayer key has, what of it is not yet offered, and what is."""

from datetime import timedelta
from decimal import Decimal

from django.db.models import Max, QuerySet
from django.utils import timezone

from chain.models import Attempt, Sender
from chain.models.sending import AttemptState, TransactionState
from chain.node import client
from chain.support.moments import has_passed

_FRESH = timedelta(seconds=30)


def balance_is_old(sender: Sender) -> bool:
    """Return whether what the row says was read too long ago."""
    return has_passed(sender.balance_at, _FRESH)


def read_balance(sender: Sender) -> int:
    """Return the key's balance in wei, asked of the node; kept on its row where that is old."""
    balance = client.balance(sender.address)
    if balance_is_old(sender) or sender.paused_reason:
        sender.balance, sender.balance_at = Decimal(balance), timezone.now()
        sender.save(update_fields=["balance", "balance_at"])
    return balance


def spendable(sender: Sender, balance: int) -> int:
    """Of a balance, the wei that no open attempt has offered."""
    return balance - sum(gas * fee for gas, fee in _open_attempts(sender).values_list("gas", "max_fee"))


def most_gas_open(sender: Sender) -> int:
    """Return the highest limit of gas among the open attempts; 0 without any."""
    return _open_attempts(sender).aggregate(most=Max("gas"))["most"] or 0


def _open_attempts(sender: Sender) -> QuerySet[Attempt]:
    return Attempt.objects.filter(
        transaction__sender=sender,
        transaction__state=TransactionState.SENDING,
        state=AttemptState.IN_PROGRESS,
    )
