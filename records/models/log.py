"""Who looked at what."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone

from records.crypto.view_log import Look
from records.models.anchors import Anchor, AnchoredLog


class ViewLogQuerySet(models.QuerySet["ViewLog"]):
    """Reads of the view log."""

    def unnumbered(self) -> ViewLogQuerySet:
        """Those that no anchor was signed for, oldest first."""
        return self.filter(position=None).order_by("at", "id")

    def with_anchor(self) -> models.QuerySet[Any]:
        """With `anchor`: the key of the first confirmed anchor of ours that covers the row, or None."""
        log = AnchoredLog.objects.filter(start__lte=OuterRef("position")).order_by("-number")
        placed = self.annotate(
            log=Subquery(log.values("log")[:1]),
            author=Subquery(log.values("author")[:1]),
            place=F("position") - Subquery(log.values("start")[:1]),
        )
        covering = Anchor.objects.ours().filter(
            author=OuterRef("author"), log=OuterRef("log"), size__gt=OuterRef("place")
        )
        return placed.annotate(anchor=Subquery(covering.order_by("size").values("pk")[:1]))


class ViewLog(models.Model):
    """One opening of a record's content. The patient sees these rows. They are never changed.

    `position` alone comes later, once, when an anchor is signed that covers the row.
    """

    class What(models.TextChoices):
        CONTENT = "content"
        LIST = "list"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.CharField(max_length=42)
    record = models.CharField(max_length=66, blank=True, default="")
    version = models.PositiveIntegerField(default=0)
    viewer = models.CharField(max_length=42)
    via = models.CharField(max_length=42, blank=True, default="")
    what = models.CharField(max_length=7, choices=What.choices)
    at = models.DateTimeField(default=timezone.now, editable=False)
    position = models.PositiveBigIntegerField(
        null=True, unique=True, editable=False, help_text="Its place among all that are anchored, from 0."
    )
    objects = ViewLogQuerySet.as_manager()

    class Meta:
        ordering = ("-at",)
        indexes = (
            models.Index(fields=("patient", "-at"), name="view_log_patient"),
            models.Index(fields=("record", "-at"), name="view_log_record"),
            # Few of many rows: every sweep asks for the oldest.
            models.Index(fields=("at", "id"), condition=Q(position=None), name="view_log_unnumbered"),
        )

    def __str__(self) -> str:
        return f"{self.viewer} saw {self.what} of {self.record or self.patient}"

    @property
    def entry(self) -> bytes:
        """The row in the Merkle tree. Raises ValueError or OverflowError for what nobody here has written."""
        return Look(
            id=self.id,
            patient=self.patient,
            record=self.record,
            version=self.version,
            viewer=self.viewer,
            via=self.via,
            what=self.what,
            at=self.at,
        ).to_bytes()
