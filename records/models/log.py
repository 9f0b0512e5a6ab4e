"""Who looked at what."""

import uuid

from django.db import models
from django.utils import timezone


class ViewLog(models.Model):
    """One opening of a record's content. The patient sees these rows; they are never changed."""

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

    class Meta:
        ordering = ("-at",)
        indexes = (
            models.Index(fields=("patient", "-at"), name="view_log_patient"),
            models.Index(fields=("record", "-at"), name="view_log_record"),
        )

    def __str__(self) -> str:
        return f"{self.viewer} saw {self.what} of {self.record or self.patient}"
