"""The outbox: every act that was accepted, signed, until the chain has it, and after."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from chain.acts.messages import PreparedAct
from chain.support.shared_clock import ended

LONGEST_PAUSE = timedelta(seconds=300)  # between vain tries


class ActState(models.TextChoices):
    """Where an act is. `returned`: the chain can no longer take it; its bytes are kept for its author."""

    WAITING = "waiting", "waiting"
    CONFIRMED = "confirmed", "confirmed"
    FAILED = "failed", "failed"
    RETURNED = "returned", "returned"


RESERVING = (ActState.WAITING, ActState.CONFIRMED)
"""The states in which an act holds its slot's number."""


class ActQuerySet(models.QuerySet["Act"]):
    """Reads of the outbox."""

    def waiting(self) -> ActQuerySet:
        """Accepted, not yet confirmed."""
        return self.filter(state=ActState.WAITING)

    def confirmed(self) -> ActQuerySet:
        """On the chain, deep enough."""
        return self.filter(state=ActState.CONFIRMED)

    def reserving(self) -> ActQuerySet:
        """Return those that hold their slot's number."""
        return self.filter(state__in=RESERVING)

    def by(self, author: str) -> ActQuerySet:
        """Acts of an account."""
        return self.filter(author=author)

    def about(self, subject: str) -> ActQuerySet:
        """Acts about a patient, an institution or an account."""
        return self.filter(subject=subject)

    def of_kind(self, *kinds: str) -> ActQuerySet:
        """Acts of these kinds."""
        return self.filter(kind__in=kinds)

    def queued(self) -> ActQuerySet:
        """Waiting, in no transaction, and not seen on the chain; oldest first."""
        return self.waiting().filter(transaction=None, event=None).order_by("created_at", "id")

    def due(self) -> ActQuerySet:
        """Queued, and not put off."""
        return self.queued().filter(ended("retry_tick", LONGEST_PAUSE))


class Act(models.Model):
    """A signed intent. Its digest is its identity: equal only if every field is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32)
    author = models.CharField(max_length=42)
    subject = models.CharField(max_length=42)
    fields = models.JSONField()
    digest = models.CharField(max_length=66, unique=True, help_text="EIP-712 digest.")
    signature = models.BinaryField()
    contract_signed = models.BooleanField(
        default=False, help_text="Judged by a contract (ERC-1271): sent alone."
    )
    slot = models.CharField(max_length=255)
    number = models.PositiveBigIntegerField(help_text="Serial, version or epoch that the slot gets.")
    state = models.CharField(max_length=16, choices=ActState.choices, default=ActState.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, help_text="Why it was refused, in plain words.")
    error_code = models.CharField(max_length=64, blank=True)
    transaction = models.ForeignKey(
        "chain.Transaction", null=True, on_delete=models.SET_NULL, related_name="acts"
    )
    event = models.ForeignKey("chain.Event", null=True, on_delete=models.SET_NULL, related_name="acts")
    needs = models.ManyToManyField("self", symmetrical=False, related_name="needed_by")
    replay_place = models.BigIntegerField(
        null=True,
        help_text="Its place, in the chain's order, among the acts that the chain lost and that wait again.",
    )
    lane = models.PositiveSmallIntegerField(
        default=0, help_text="Which share of the relayer keys sends it: as what it builds on."
    )
    refused_block = models.PositiveBigIntegerField(
        null=True, help_text="The block at which all it builds on was settled and it was refused."
    )
    retry_tick = models.BigIntegerField(null=True, help_text="Shared clock: until when it is put off.")
    retry_at = models.DateTimeField(null=True)  # the release before this one reads it; the next may drop it
    waiting_tick = models.BigIntegerField(null=True, help_text="Shared clock: since when it waits.")
    incarnation = models.PositiveIntegerField(
        default=0, db_default=0, help_text="The database's life in which it was accepted."
    )
    tries = models.PositiveSmallIntegerField(default=0, help_text="Transactions that carried it in vain.")

    objects = ActQuerySet.as_manager()

    was_refused = False
    """Whether it had failed or come back before it was confirmed: told to handlers of `on_act_settled`."""

    class Meta:
        ordering = ("created_at", "id")
        constraints = (
            models.CheckConstraint(condition=Q(state__in=ActState.values), name="act_state_known"),
            models.UniqueConstraint(
                fields=("slot", "number"),
                condition=Q(state__in=("waiting", "confirmed")),
                name="act_slot_reserved",
            ),
        )
        indexes = (
            models.Index(fields=("state", "created_at"), name="act_queue"),
            models.Index(
                fields=("state", "created_at", "id"),
                condition=Q(transaction=None, event=None),
                name="act_queued",
            ),
            models.Index(fields=("subject", "state"), name="act_subject"),
            models.Index(fields=("author", "state"), name="act_author"),
            models.Index(fields=("author", "created_at"), name="act_author_day"),
            models.Index(fields=("slot", "number"), name="act_slot"),
            # None of many rows, most of the time: looked up for each act that is refused.
            models.Index(
                fields=("replay_place",), condition=Q(replay_place__isnull=False), name="act_replayed"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} by {self.author} ({self.state})"

    @property
    def prepared(self) -> PreparedAct:
        """Return the act without its signature."""
        fields: dict[str, Any] = self.fields
        return PreparedAct(self.kind, fields)

    @property
    def calldata(self) -> bytes:
        """Return the call that carries it to the contract."""
        return self.prepared.calldata(bytes(self.signature))
