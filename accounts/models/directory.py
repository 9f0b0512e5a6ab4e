"""The directory as the chain tells it.

Written by accounts.handlers alone; can be dropped, and comes back the same.
"""

from django.db import models


class PublishedKey(models.Model):
    """A version of an account's sharing key, as published."""

    account = models.CharField(max_length=42)
    generation = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField()
    key = models.BinaryField(help_text="Suite byte || ML-KEM-768 key || X25519 key: 1,217 bytes.")
    digest = models.CharField(
        max_length=66, help_text="keccak256 of the key; the contract's state holds it too."
    )
    usable = models.BooleanField(
        default=True, help_text="Whether anything can be sealed to it: the contract takes any bytes."
    )
    block_number = models.PositiveBigIntegerField()

    class Meta:
        ordering = ("account", "version")
        constraints = (models.UniqueConstraint(fields=("account", "version"), name="published_key_once"),)
        indexes = (models.Index(fields=("digest",), name="published_key_digest"),)

    def __str__(self) -> str:
        return f"key {self.version} of {self.account}"


class Admission(models.Model):
    """Whether an institution is admitted."""

    institution = models.CharField(max_length=42, unique=True)
    admitted = models.BooleanField()
    serial = models.PositiveBigIntegerField()
    block_number = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.institution} {'admitted' if self.admitted else 'suspended'}"


class Affiliation(models.Model):
    """Whether a doctor is affiliated with an institution."""

    institution = models.CharField(max_length=42)
    doctor = models.CharField(max_length=42)
    affiliated = models.BooleanField()
    serial = models.PositiveBigIntegerField()
    block_number = models.PositiveBigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("institution", "doctor"), name="affiliation_once"),)
        indexes = (models.Index(fields=("doctor",), name="affiliation_doctor"),)

    def __str__(self) -> str:
        return f"{self.doctor} {'at' if self.affiliated else 'left'} {self.institution}"
