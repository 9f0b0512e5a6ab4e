"""The lives of this database: a restore from a backup begins another. And what a lost one had accepted."""

from django.db import models
from django.utils import timezone


class Incarnation(models.Model):
    """One life of this database, from its making or restoring to the next restore.

    The rules are in chain.restore.incarnation. The highest number is in force. Numbers may have gaps, since a
    lost life had one too.
    """

    class Reason(models.TextChoices):
        FIRST = "first", "the database is new, or from before lives were counted"
        RESTORED = "restored", "the database is older than what this portal has done"
        UNKNOWN = "unknown", "nothing outside the database says whether it is the newest"

    number = models.PositiveIntegerField(unique=True)
    key = models.CharField(max_length=32, unique=True, help_text="Random: tells lives of one number apart.")
    reason = models.CharField(max_length=8, choices=Reason.choices)
    began_at = models.DateTimeField(default=timezone.now)
    tick = models.PositiveBigIntegerField(default=0, help_text="Grows with use; VAR/witness keeps the last.")
    beat_tick = models.BigIntegerField(
        null=True, help_text="Shared clock: when a machine was last sure of it."
    )
    read_block = models.PositiveBigIntegerField(
        null=True, help_text="How far the chain was read when it began: what is above, this database forgot."
    )
    ends_accepted_at = models.DateTimeField(
        null=True, help_text="When lost acts that end access were accepted again: until then nobody reads."
    )
    settled_at = models.DateTimeField(null=True, help_text="When all was done that a restore asks for.")

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(reason__in=["first", "restored", "unknown"]),
                name="incarnation_reason_known",
            ),
        )

    def __str__(self) -> str:
        return f"life {self.number} ({self.reason})"


class LostAct(models.Model):
    """An act that was accepted before this database was restored from a backup that is older than the act.

    Its machine kept it outside the database (chain.restore.acceptance_log).
    """

    class Outcome(models.TextChoices):
        OPEN = "open", "not looked at yet"
        KNOWN = "known", "it is on the chain"
        SENT = "sent", "it was accepted again, the same signed bytes"
        OVERTAKEN = "overtaken", "its author has said something newer since"
        LOST = "lost", "its author has to do it again"

    digest = models.CharField(max_length=66, unique=True)
    kind = models.CharField(max_length=32)
    author = models.CharField(max_length=42)
    fields = models.JSONField()
    signature = models.BinaryField()
    contract_signed = models.BooleanField(default=False)
    accepted_at = models.DateTimeField()
    outcome = models.CharField(max_length=9, choices=Outcome.choices, default=Outcome.OPEN)

    class Meta:
        ordering = ("accepted_at", "pk")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(outcome__in=["open", "known", "sent", "overtaken", "lost"]),
                name="lost_act_outcome_known",
            ),
        )
        indexes = (models.Index(fields=("author", "outcome"), name="lost_act_author"),)

    def __str__(self) -> str:
        return f"{self.kind} by {self.author} ({self.outcome})"
