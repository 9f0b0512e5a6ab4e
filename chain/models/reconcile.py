"""What an operator has seen of differences that nobody here can mend. Private."""

from django.db import models
from django.utils import timezone


class AcknowledgedFinding(models.Model):
    """A difference in what another portal or wallet made: told once by `manage.py reconcile`."""

    check_id = models.CharField(max_length=8)
    subject = models.CharField(max_length=200)
    what = models.TextField()
    acknowledged_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("check_id", "subject"), name="finding_seen_once"),)

    def __str__(self) -> str:
        return f"{self.check_id} {self.subject}"
