"""The lives of this database: a restore from a backup begins another."""

from django.db import models
from django.utils import timezone


class Incarnation(models.Model):
    """One life of this database, from its making or restoring to the next restore (chain.incarnation).

    The highest number is in force. Numbers may have gaps, since a lost life had one too.
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
