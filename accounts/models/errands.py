"""Errands: what waits for somebody's key."""

import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Errand(models.Model):
    """Something that only the holder of an account's keys can do. No medical words in it."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        DROPPED = "dropped"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.CharField(max_length=42, help_text="Address of the account whose key is needed.")
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=200, help_text="What it is about: an address, an id, a slot.")
    details: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.OPEN)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    tried_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "kind", "subject"), condition=Q(state="open"), name="errand_open_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "done", "dropped"]), name="errand_state_known"
            ),
        )
        indexes = (models.Index(fields=("account", "state"), name="errand_account"),)

    def __str__(self) -> str:
        return f"{self.kind} for {self.account}"
