"""API tokens: an account's keys, sealed under a secret that the integrator keeps."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Which tokens still work."""

    def live(self) -> "ApiTokenQuerySet":
        """Neither revoked nor past their end."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())

    def end(self) -> int:
        """End those that have not ended, for good: their keys go. Returns how many."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now(), sealed=b"")


class ApiToken(models.Model):
    """The digest of a secret shown once, and a key bundle that only the secret opens."""

    class Scope(models.TextChoices):
        READ = "read", "Read only"
        ACT = "act", "Read, and act in my name"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="api_tokens")
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=4, choices=Scope.choices)
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the secret.")
    sealed = models.BinaryField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(condition=Q(scope__in=["read", "act"]), name="api_token_scope_known"),
        )

    def __str__(self) -> str:
        return self.name
