"""What the chain said: blocks, events (the archive, which is ours to keep), and how far we have read."""

from __future__ import annotations

from typing import Any

from django.db import models


class Block(models.Model):
    """A block that was read: one with events, or the end of a range. Its hash tells a reorganisation."""

    number = models.PositiveBigIntegerField(unique=True)
    hash = models.CharField(max_length=66, unique=True)
    time = models.DateTimeField()

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"block {self.number}"


class EventQuerySet(models.QuerySet["Event"]):
    """Reads of the archive."""

    def pending(self) -> EventQuerySet:
        """At the head of the chain, not yet deep enough. What narrows access counts from here."""
        return self.filter(applied=False)

    def applied(self) -> EventQuerySet:
        """Deep enough, and given to the handlers."""
        return self.filter(applied=True)

    def authored_by(self, address: str) -> EventQuerySet:
        """Return events of acts of an account."""
        return self.filter(author=address)

    def about(self, subject: str) -> EventQuerySet:
        """Return events about a patient, an institution or an account."""
        return self.filter(subject=subject)

    def named(self, *names: str) -> EventQuerySet:
        """Return events of these names."""
        return self.filter(name__in=names)

    def in_order(self) -> EventQuerySet:
        """As the chain has them."""
        return self.order_by("block_number", "log_index")


class Event(models.Model):
    """One event of an act. `args` are the struct's fields and the event's extras, encoded as in acts."""

    block = models.ForeignKey(Block, on_delete=models.CASCADE, related_name="events")
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    block_time = models.DateTimeField()
    log_index = models.PositiveIntegerField()
    tx_hash = models.CharField(max_length=66)
    name = models.CharField(max_length=32)
    author = models.CharField(max_length=42)
    subject = models.CharField(max_length=42)
    args = models.JSONField()
    act_digest = models.CharField(max_length=66, help_text="Digest of the act with exactly these fields.")
    slot = models.CharField(max_length=255)
    number = models.PositiveBigIntegerField()
    applied = models.BooleanField(default=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ("block_number", "log_index")
        constraints = (models.UniqueConstraint(fields=("block", "log_index"), name="event_once"),)
        indexes = (
            models.Index(fields=("block_number", "log_index"), name="event_order"),
            # Few of many rows: every poll asks for them, and so does every question about access.
            models.Index(
                fields=("block_number", "log_index"), condition=models.Q(applied=False), name="event_pending"
            ),
            models.Index(fields=("author",), name="event_author"),
            models.Index(fields=("subject", "name"), name="event_subject"),
            models.Index(fields=("slot", "number"), name="event_slot"),
            models.Index(fields=("act_digest",), name="event_act"),
        )

    def __str__(self) -> str:
        return f"{self.name} in block {self.block_number}"

    def __getitem__(self, name: str) -> Any:
        """An argument by its name."""
        return self.args[name]


class EventDigest(models.Model):
    """A digest that an event of the archive names: of a content, a description, a list or a folder's name.

    Kept for good, also when a reorganisation takes the event away: who erases files asks here first.
    """

    digest = models.CharField(primary_key=True, max_length=66)

    def __str__(self) -> str:
        return self.digest


class Cursor(models.Model):
    """How far the indexer has read (`seen`) and given to the handlers (`applied`).

    One row, moved by guarded updates.
    """

    name = models.CharField(max_length=16, unique=True, default="events")
    seen = models.PositiveBigIntegerField(help_text="Last block whose events are stored.")
    applied = models.PositiveBigIntegerField(help_text="Last block whose events the handlers have had.")
    head = models.PositiveBigIntegerField(default=0)
    range = models.PositiveIntegerField(default=100, help_text="Blocks asked for at once; adapts.")
    checked_at = models.DateTimeField(null=True, help_text="When the node last answered.")
    heard_tick = models.BigIntegerField(null=True, help_text="Shared clock: when the node last answered.")
    read_tick = models.BigIntegerField(
        null=True, help_text="Shared clock: when the last reading that came to its end began."
    )
    head_time = models.DateTimeField(null=True, help_text="What the newest block says of the time.")
    head_tick = models.BigIntegerField(
        null=True, help_text="Shared clock: when that block was new; empty where that is not known."
    )
    behind_since = models.DateTimeField(
        null=True, help_text="Since when the node knows less than it has shown."
    )
    behind_tick = models.BigIntegerField(null=True, help_text="Shared clock: the same as behind_since.")
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.name}: seen {self.seen}, applied {self.applied}"
