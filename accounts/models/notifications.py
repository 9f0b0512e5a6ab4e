"""Mails still to be sent: ids only, and no medical words."""

import uuid
from typing import Any

from django.db import models
from django.utils import timezone


class Notification(models.Model):
    """One mail to one user: a template of templates/mail/ and ids to fill it with."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="notifications")
    template = models.CharField(max_length=60)
    context: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    to = models.EmailField(blank=True, help_text="Where it goes, if not to the user's own address.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = (models.Index(fields=("sent_at", "created_at"), name="notification_unsent"),)

    def __str__(self) -> str:
        return f"{self.template} to {self.user_id}"
