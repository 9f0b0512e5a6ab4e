"""What an operator can do on the operations page, with its permission, and in words before it happens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db.models import Model

from chain.models import Attempt, Sender, Transaction
from chain.models.sending import AttemptState
from chain.operations import transactions

SEE = "chain.view_sender"  # the permission that shows the operations page
_GWEI = 10**9
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Action(Generic[Row]):
    """`title` and `label` of the confirmation, `done` once it was done.

    `explain` says exactly what will happen to a row, a sentence each; `run` raises ChainError when it cannot.
    """

    title: str
    label: str
    done: str
    model: type[Row]
    permission: str
    explain: Callable[[Row], list[str]]
    run: Callable[[Row], object]


def name_of(row: Model) -> str:
    """Name a relayer key by its address, a transaction by its nonce too."""
    return f"nonce {row.nonce} of {row.sender}" if isinstance(row, Transaction) else str(row)


def _explain_pause(sender: Sender) -> list[str]:
    queue = (
        "New acts are still accepted, and wait in the queue; nothing is lost. People read that nothing "
        "is sent. A revoke holds in the portal at once, but does not reach the chain."
    )
    if Sender.objects.exclude(pk=sender.pk).filter(held=False, paused_reason="").exists():
        queue = "Acts that wait in the queue go through the other relayer keys."
    return [
        f"No new transaction is sent with {sender} until somebody resumes it here: it does not by itself.",
        queue,
        "Transactions that nodes already have may still come into a block, and are read as always; none "
        "of them is sent again or replaced.",
    ]


def _explain_resume(sender: Sender) -> list[str]:
    return [
        f"Sending with {sender} goes on: what waits is sent at the relayer's next run, a second from now.",
        "If another cause pauses it (no money, another chain, no contract), it stays paused until that "
        "is mended.",
    ]


def _explain_bump(row: Transaction) -> list[str]:
    return [
        f"The transaction of nonce {row.nonce}, with {_acts(row)}, is signed again at the same nonce for a "
        "higher fee, and sent. Only one of the two can come into a block: nothing happens twice.",
        f"{_offer(row)} The new one offers at least 12.5% more, or the network's price if that is higher, "
        f"and never more than the ceiling of {settings.CHAIN_MAX_FEE_GWEI:g} gwei (CHAIN_MAX_FEE_GWEI).",
    ]


def _explain_cancel(row: Transaction) -> list[str]:
    return [
        f"An empty transfer from {row.sender} to itself takes the place of nonce {row.nonce}, for at "
        "least 12.5% more than what it replaces, up to the ceiling. It costs its gas.",
        f"Once it is in a block, {_acts(row)} of this transaction go back to the queue and are sent anew. If "
        "the original comes into a block first, they are done, and nothing more happens.",
        "This is for a transaction that cannot come into a block as it is. For one that only offers too "
        "little, a higher offer is enough.",
    ]


def _acts(row: Transaction) -> str:
    return "1 act" if row.act_count == 1 else f"{row.act_count} acts"


def _offer(row: Transaction) -> str:
    attempt = Attempt.objects.filter(transaction=row, state=AttemptState.IN_PROGRESS).first()
    if attempt is None:
        return "It offers nothing now."
    return f"It now offers {attempt.max_fee / _GWEI:.9g} gwei a gas at most."


ACTIONS: dict[str, Action[Any]] = {
    "pause": Action(
        "Pause sending with this key?",
        "Pause sending",
        "Sending is paused",
        Sender,
        "chain.change_sender",
        _explain_pause,
        transactions.pause_sender,
    ),
    "resume": Action(
        "Resume sending with this key?",
        "Resume sending",
        "Sending goes on",
        Sender,
        "chain.change_sender",
        _explain_resume,
        transactions.resume_sender,
    ),
    "bump": Action(
        "Offer more for this transaction?",
        "Offer more now",
        "The transaction was sent again for more",
        Transaction,
        "chain.change_transaction",
        _explain_bump,
        transactions.bump_transaction,
    ),
    "cancel": Action(
        "Cancel this transaction?",
        "Cancel the transaction",
        "An empty transfer was sent in its place",
        Transaction,
        "chain.change_transaction",
        _explain_cancel,
        transactions.cancel_transaction,
    ),
}
