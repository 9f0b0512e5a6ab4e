"""Vaults: a recovery phrase's entropy sealed under a password, and what is open of it in a session."""

from django.db import models
from django.utils import timezone


class Vault(models.Model):
    """A user's entropy, sealed under the password (accounts.crypto.vault)."""

    user = models.OneToOneField("accounts.User", on_delete=models.CASCADE, related_name="vault")
    sealed = models.JSONField(help_text="Argon2id parameters, salt, nonce and ciphertext.")
    root = models.CharField(
        max_length=42, help_text="Address of the phrase's first key: tells a typed phrase from another."
    )
    phrase_existed = models.BooleanField(
        "phrase from before",
        db_default=False,
        default=False,
        help_text="The person brought the phrase along: its keys may be published already.",
    )
    stale = models.BooleanField(
        "closed after a reset",
        default=False,
        help_text="Sealed under a former password: only the recovery phrase opens it.",
    )
    sealed_at = models.DateTimeField(default=timezone.now)
    phrase_shown_at = models.DateTimeField(null=True, blank=True)
    phrase_confirmed_at = models.DateTimeField(null=True, blank=True)
    key_tasks_after = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="No run of the person's key tasks begins before: one run at a time.",
    )

    def __str__(self) -> str:
        return f"vault of {self.user_id}"


class OpenVault(models.Model):
    """A key bundle opened in one browser, sealed under a key that only that browser's cookie has.

    A row of its own and not a value in the session: of two overlapping saves of one session the later
    wins, whole.
    """

    id = models.CharField(primary_key=True, max_length=64, help_text="SHA-256 of the cookie's key, in hex.")
    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="open_vaults")
    sealed = models.BinaryField()
    phrase_check = models.BinaryField(null=True, help_text="The words asked back, sealed like the bundle.")
    opened_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    errands_at = models.DateTimeField(
        default=timezone.now, help_text="Not used any more: only the release before reads it."
    )

    class Meta:
        indexes = (models.Index(fields=("seen_at",), name="open_vault_seen"),)

    def __str__(self) -> str:
        return f"open vault of {self.user_id}"
