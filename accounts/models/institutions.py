"""Institutions, who belongs to them, and the keys sealed to those people."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.users import validate_name
from chain.support.pasted_text import plain_name


class Institution(models.Model):
    """A hospital or practice: the tenant. It has an address once its first manager has accepted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=150, unique=True, validators=[validate_name])
    slug = models.SlugField(max_length=60, unique=True)
    address = models.CharField(max_length=42, blank=True, default="", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("address",), condition=~Q(address=""), name="institution_address_once"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """The name on one line, without what cannot be seen: no two institutions look the same."""
        super().clean()
        self.name = plain_name(self.name)


class Membership(models.Model):
    """A user belongs to an institution, as a manager or a doctor (the chain says who is affiliated)."""

    class Role(models.TextChoices):
        MANAGER = "manager"
        DOCTOR = "doctor"

    class State(models.TextChoices):
        ACTIVE = "active"
        LEFT = "left"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Institution, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="memberships")
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("since",)
        constraints = (
            models.UniqueConstraint(fields=("institution", "user", "role"), name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=["manager", "doctor"]), name="membership_role_known"),
            models.CheckConstraint(condition=Q(state__in=["active", "left"]), name="membership_state_known"),
        )

    def __str__(self) -> str:
        return f"{self.role} of {self.institution_id}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Which invitations may still be accepted."""

    def open(self) -> "InvitationQuerySet":
        """Neither accepted nor expired."""
        return self.filter(accepted_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A mailed link that lets the holder of an e-mail address join an institution."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Institution, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail")
    role = models.CharField(max_length=8, choices=Membership.Role.choices)
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the secret.")
    invited_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


class SealedKey(models.Model):
    """A secret of an institution, sealed (HPKE) to the sharing key of one member's practitioner account.

    "entropy": the institution's entropy, to a manager. "seed": a version of its sharing seed, to a doctor.
    """

    class Kind(models.TextChoices):
        ENTROPY = "entropy"
        SEED = "seed"

    institution = models.ForeignKey(Institution, on_delete=models.CASCADE, related_name="sealed_keys")
    recipient = models.CharField(max_length=42, help_text="Address of the member's practitioner account.")
    recipient_key = models.CharField(max_length=66, help_text="keccak256 of the key it is sealed to.")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    generation = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=0, help_text="Of the sharing key; 0 for the entropy.")
    digest = models.CharField(max_length=66, blank=True, help_text="keccak256 of the seed's public key.")
    sealed = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("institution", "recipient", "kind", "generation", "version"), name="sealed_key_once"
            ),
        )
        indexes = (models.Index(fields=("recipient", "digest"), name="sealed_key_digest"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.institution_id} for {self.recipient}"
