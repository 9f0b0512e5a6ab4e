"""What the relayer sends: a row per key, its transactions by nonce, and each attempt's signed bytes."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Sender(models.Model):
    """A relayer key, by its address alone.

    The lease, taken by a conditional update, keeps one process at a time at its nonces.
    """

    address = models.CharField(max_length=42, unique=True)
    lease = models.CharField(max_length=32, blank=True)
    lease_tick = models.BigIntegerField(
        null=True, help_text="Shared clock: the lease's end, or when it was last given back."
    )
    leased_until = models.DateTimeField(default=timezone.now)  # the same, for people to read
    paused_reason = models.TextField(blank=True, help_text="Why nothing is sent now; empty when sending.")
    paused_at = models.DateTimeField(null=True)
    held = models.BooleanField(default=False, help_text="An operator's pause: lifted by an operator alone.")
    balance = models.DecimalField(max_digits=78, decimal_places=0, null=True, help_text="Wei.")
    balance_at = models.DateTimeField(null=True, help_text="When the balance was last read.")

    def __str__(self) -> str:
        return self.address


class TransactionState(models.TextChoices):
    """`lost`: its nonce was used by a transaction that is not ours; its acts went back to the queue."""

    SENDING = "sending", "sending"
    MINED = "mined", "mined"
    CONFIRMED = "confirmed", "confirmed"
    LOST = "lost", "lost"


class TransactionQuerySet(models.QuerySet["Transaction"]):
    """What happens to many transactions at once."""

    def reopen(self) -> int:
        """Mark as not mined any more: their bytes are to be sent again.

        Returns how many there were.
        """
        return self.update(
            state=TransactionState.SENDING, block_number=None, succeeded=None, gas_used=None, fee_paid=None
        )


class Transaction(models.Model):
    """A nonce of a sender, and the batch of acts it was spent on."""

    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="transactions")
    nonce = models.PositiveBigIntegerField()
    state = models.CharField(
        max_length=16, choices=TransactionState.choices, default=TransactionState.SENDING
    )
    act_count = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    block_number = models.PositiveBigIntegerField(null=True)
    succeeded = models.BooleanField(null=True, help_text="Whether the transaction itself did not revert.")
    gas_used = models.PositiveBigIntegerField(null=True)
    fee_paid = models.DecimalField(max_digits=78, decimal_places=0, null=True, help_text="Wei.")
    alarm = models.TextField(
        blank=True, help_text="Why it does not get on without an operator; emptied when it is mined."
    )

    objects = TransactionQuerySet.as_manager()

    class Meta:
        ordering = ("sender", "nonce")
        constraints = (
            models.UniqueConstraint(fields=("sender", "nonce"), name="transaction_nonce_once"),
            models.CheckConstraint(
                condition=Q(state__in=TransactionState.values), name="transaction_state_known"
            ),
        )
        indexes = (models.Index(fields=("state", "block_number"), name="transaction_state"),)

    def __str__(self) -> str:
        return f"nonce {self.nonce} of {self.sender_id} ({self.state})"


class AttemptState(models.TextChoices):
    """At most one attempt of a transaction is in progress."""

    IN_PROGRESS = "in progress", "in progress"
    REPLACED = "replaced", "replaced"
    MINED = "mined", "mined"


class Attempt(models.Model):
    """Signed bytes, saved before they are broadcast; after a crash the same bytes go again."""

    transaction = models.ForeignKey(Transaction, on_delete=models.CASCADE, related_name="attempts")
    hash = models.CharField(max_length=66, unique=True)
    raw = models.BinaryField(help_text="The signed transaction.")
    gas = models.PositiveBigIntegerField()
    max_fee = models.PositiveBigIntegerField(help_text="Wei per gas.")
    priority_fee = models.PositiveBigIntegerField(help_text="Wei per gas.")
    state = models.CharField(max_length=16, choices=AttemptState.choices, default=AttemptState.IN_PROGRESS)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, help_text="When a node last took it.")
    sent_block = models.PositiveBigIntegerField(null=True, help_text="Head when it was first sent.")
    cancels = models.BooleanField(
        default=False, help_text="Nothing, sent to the key itself: it only uses up the nonce."
    )

    class Meta:
        ordering = ("transaction", "created_at")
        constraints = (
            models.UniqueConstraint(
                fields=("transaction",), condition=Q(state="in progress"), name="attempt_one_in_progress"
            ),
            models.CheckConstraint(condition=Q(state__in=AttemptState.values), name="attempt_state_known"),
        )

    def __str__(self) -> str:
        return self.hash
