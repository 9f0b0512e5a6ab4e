"""Who signs for an account, as far as it is not the account itself."""

from django.db import models


class SignerState(models.Model):
    """Projection of KeysReplaced and RecoveryNamed.

    An account without a row signs for itself, in generation 0.
    """

    account = models.CharField(max_length=42, unique=True)
    signer = models.CharField(max_length=42)
    generation = models.PositiveIntegerField(default=0)
    key_version = models.PositiveIntegerField(default=0)
    recovery = models.CharField(max_length=42, blank=True)

    def __str__(self) -> str:
        return f"{self.account} signs by {self.signer}"
