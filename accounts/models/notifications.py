"""Mails still to be sent: ids, or a text that is sealed until it is sent. No medical words."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

TRIED_FOR = timedelta(days=3)
CLAIM_LASTS = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=1)


class NotificationQuerySet(models.QuerySet["Notification"]):
    """Mails by where they stand."""

    def waiting(self) -> "NotificationQuerySet":
        """Neither sent nor given up."""
        return self.filter(sent_at=None, ended_at=None)

    def due(self, now: datetime) -> "NotificationQuerySet":
        """Those to be tried now: the least tried in front, of these the one that expires first.

        So no mail that makes the server fail keeps the others from being tried. A time further ahead than any
        pause was written by a clock that has stepped back since.
        """
        free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_LASTS) | Q(claimed_at__gt=now + CLAIM_LASTS)
        due = Q(due_at=None) | Q(due_at__lte=now) | Q(due_at__gt=now + 2 * LONGEST_PAUSE)
        soonest = (F("expires_at").asc(nulls_last=True), "created_at")
        return self.waiting().filter(free, due).order_by("attempts", *soonest)

    def late(self) -> "NotificationQuerySet":
        """Waiting, and tried in vain."""
        return self.waiting().exclude(problem="")


class Notification(models.Model):
    """One mail: a template of templates/mail/ with ids to fill in, or a sealed text that holds a secret."""

    class Ending(models.TextChoices):
        REFUSED = "refused", "refused by the mail server"
        EXPIRED = "expired", "expired before it could be sent"
        REPLACED = "replaced", "replaced by a newer one, or not wanted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, null=True, blank=True, related_name="notifications"
    )
    template = models.CharField(max_length=60)
    context: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    sealed = models.BinaryField(
        null=True, help_text="Subject and text that hold a code or a link. Deleted once sent or given up."
    )
    to = models.EmailField(blank=True, help_text="Where it goes, if not to the user's own address.")
    about = models.CharField(
        max_length=80, blank=True, db_default="", help_text="Kind and id of what waits for its delivery."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True, help_text="When it is tried again.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="It is not sent after that.")
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was given up.")
    ended_as = models.CharField(max_length=10, choices=Ending.choices, blank=True, db_default="")
    problem = models.CharField(max_length=200, blank=True, db_default="", help_text="Of the last attempt.")
    attempts = models.PositiveSmallIntegerField(default=0)

    objects: ClassVar[NotificationQuerySet] = NotificationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = (
            models.Index(fields=("sent_at", "created_at"), name="notification_unsent"),
            models.Index(fields=("to", "created_at"), name="notification_to"),
        )

    def __str__(self) -> str:
        return f"{self.template} to {self.user_id or self.to}"

    @property
    def address(self) -> str:
        """Where it goes."""
        return self.to or (self.user.email if self.user else "")
