"""What this portal keeps in the store, on which further nodes, and what is still to come. Private tables.

A holding is written before its bytes are kept, and stays when they are erased: so nothing that was put is
forgotten, and nothing that somebody else put on a shared node is ever taken for ours.
"""

from typing import Any

from django.db import models
from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.utils import timezone


class Holding(models.Model):
    """A content, or a small ciphertext (`record` is empty), that this portal answers for."""

    class State(models.TextChoices):
        KEPT = "kept"
        ERASING = "erasing"
        ERASED = "erased"

    digest = models.CharField(primary_key=True, max_length=66)
    dag_pb = models.BooleanField(default=False)
    size = models.PositiveBigIntegerField(null=True, help_text="Bytes of ciphertext; empty: not measured.")
    record = models.CharField(
        max_length=66, blank=True, default="", help_text="Whose content: no other can name it."
    )
    state = models.CharField(max_length=7, choices=State.choices, default=State.KEPT)
    put_at = models.DateTimeField(default=timezone.now)
    looked_at = models.DateTimeField(null=True, help_text="When it was last looked at whether it is named.")
    unnamed_since = models.DateTimeField(null=True, help_text="When nothing was first seen to name it.")
    lost_since = models.DateTimeField(null=True, help_text="The store did not have it, or had it damaged.")
    claimed_at = models.DateTimeField(null=True, help_text="Somebody erases it now.")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["kept", "erasing", "erased"]), name="holding_state_known"
            ),
            models.CheckConstraint(
                condition=Q(unnamed_since=None) | ~Q(record=""), name="holding_unnamed_is_content"
            ),
        )
        indexes = (
            models.Index(fields=("state", "looked_at"), name="holding_look"),
            models.Index(fields=("record",), condition=~Q(record=""), name="holding_record"),
            models.Index(fields=("unnamed_since",), condition=~Q(unnamed_since=None), name="holding_unnamed"),
            models.Index(fields=("lost_since",), condition=~Q(lost_since=None), name="holding_lost"),
        )

    def __str__(self) -> str:
        return self.digest


class Fetch(models.Model):
    """A file that an event names and that another portal or wallet put: to be brought here by a worker.

    The row stays when the file is here, since what is fetched of one author in a day is counted.
    """

    class Kind(models.TextChoices):
        CONTENT = "content"
        DESCRIPTION = "description"
        LIST = "list"
        ENVELOPE = "envelope"
        NAME = "name"

    class State(models.TextChoices):
        WANTED = "wanted"
        HERE = "here"
        REFUSED = "refused"

    digest = models.CharField(primary_key=True, max_length=66)
    dag_pb = models.BooleanField(default=False)
    kind = models.CharField(max_length=11, choices=Kind.choices)
    patient = models.CharField(max_length=42)
    author = models.CharField(max_length=42, help_text="Who signed what names it.")
    record = models.CharField(max_length=66, blank=True, default="", help_text="Whose content.")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WANTED)
    since = models.DateTimeField(default=timezone.now, help_text="Of this state.")
    opened_at = models.DateTimeField(null=True, help_text="When somebody last wanted to read it.")
    due_at = models.DateTimeField(default=timezone.now, help_text="When it is tried next.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="In vain.")
    size = models.PositiveBigIntegerField(null=True, help_text="Bytes of ciphertext, as far as it is known.")
    error = models.CharField(max_length=200, blank=True, default="")
    pinned_before = models.BooleanField(
        default=False, help_text="Somebody else keeps it on the store's node, too."
    )
    claimed_at = models.DateTimeField(null=True, help_text="Somebody fetches it now.")

    class Meta:
        verbose_name_plural = "fetches"
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["wanted", "here", "refused"]), name="fetch_state_known"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["content", "description", "list", "envelope", "name"]),
                name="fetch_kind_known",
            ),
        )
        indexes = (
            models.Index(fields=("state", "due_at"), name="fetch_due"),
            models.Index(fields=("author", "state", "since"), name="fetch_author"),
            models.Index(fields=("record",), condition=~Q(record=""), name="fetch_record"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.digest}"


class PinNodeQuerySet(models.QuerySet["PinNode"]):
    """Reads of the further nodes."""

    def counted(self) -> "models.QuerySet[Any]":
        """With `held`, `wanted`, `leaving` (how many), `wanted_since` (of the oldest) and `last_error`."""
        failed = Replica.objects.filter(node=OuterRef("pk")).exclude(error="").order_by("-due_at")
        wanted = Q(replicas__state=Replica.State.WANTED)
        return self.annotate(
            held=Count("replicas", filter=Q(replicas__state=Replica.State.HELD)),
            wanted=Count("replicas", filter=wanted),
            leaving=Count("replicas", filter=Q(replicas__state=Replica.State.LEAVING)),
            wanted_since=Min("replicas__since", filter=wanted),
            last_error=Subquery(failed.values("error")[:1]),
        )


class PinNode(models.Model):
    """A further node, by its address without user and password, and how it answered last."""

    address = models.CharField(primary_key=True, max_length=255)
    checked_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True, default="")

    objects = PinNodeQuerySet.as_manager()

    def __str__(self) -> str:
        return self.address


class Replica(models.Model):
    """A holding on a further node: wanted there, held there, or on its way out."""

    class State(models.TextChoices):
        WANTED = "wanted"
        HELD = "held"
        LEAVING = "leaving"

    holding = models.ForeignKey(Holding, on_delete=models.CASCADE, related_name="replicas")
    node = models.ForeignKey(PinNode, on_delete=models.CASCADE, related_name="replicas")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WANTED)
    since = models.DateTimeField(default=timezone.now, help_text="Of this state.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="In vain, since then.")
    due_at = models.DateTimeField(default=timezone.now, help_text="When it is tried, or verified, next.")
    error = models.CharField(max_length=200, blank=True, default="")
    claimed_at = models.DateTimeField(null=True, help_text="Somebody copies or erases it now.")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("holding", "node"), name="replica_once"),
            models.CheckConstraint(
                condition=Q(state__in=["wanted", "held", "leaving"]), name="replica_state_known"
            ),
        )
        indexes = (models.Index(fields=("node", "state", "due_at"), name="replica_due"),)

    def __str__(self) -> str:
        return f"{self.holding_id} on {self.node_id}"
