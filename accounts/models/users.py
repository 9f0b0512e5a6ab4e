"""Users sign in; accounts act."""

import uuid
from datetime import date, timedelta
from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models.vaults import Vault
from chain.support.pasted_text import can_be_seen, plain_name

OLDEST_AGE = 130


def age_on(born: date, day: date) -> int:
    """Whole years between a date of birth and a day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def births_possible() -> tuple[date, date]:
    """The first and the last day of birth that is taken: somebody is at most 130, and born before today."""
    today = timezone.localdate()
    first = date(today.year - OLDEST_AGE - 1, today.month, min(today.day, 28))
    while age_on(first, today) > OLDEST_AGE:
        first += timedelta(days=1)
    return first, today - timedelta(days=1)


def validate_date_of_birth(born: date) -> None:
    """Refuse a date that is not past, or more than 130 years ago."""
    first, last = births_possible()
    if born > last:
        raise ValidationError("A date of birth is in the past.")
    if born < first:
        raise ValidationError(f"A date of birth is at most {OLDEST_AGE} years ago.")


def validate_name(name: str) -> None:
    """Refuse a name of which nothing can be seen."""
    if not can_be_seen(name):
        raise ValidationError("Enter a name that can be seen.")


class UserManager(BaseUserManager["User"]):
    """Makes users; e-mail addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A user without vault or accounts (services.signup makes those)."""
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """An administrator: no vault, no account."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user with this e-mail, however it is capitalised."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person with an e-mail address, a password, and (unless only an administrator) a vault."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField("e-mail", unique=True)
    name = models.CharField(max_length=150, blank=True, validators=[validate_name])
    date_of_birth = models.DateField(null=True, blank=True, validators=[validate_date_of_birth])
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("administrator", default=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        ordering = ("email",)
        constraints = (models.UniqueConstraint(Lower("email"), name="user_email_any_case"),)

    def clean(self) -> None:
        """The name on one line, without what cannot be seen."""
        super().clean()
        self.name = plain_name(self.name)

    def __str__(self) -> str:
        return self.name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; with another password, opened vaults and API tokens end in the same transaction.

        However it is set: by page, reset, shell or `manage.py changepassword`. The vault is sealed under a
        former password then, until who knows its entropy seals it anew (services/vaults.py).
        """
        if getattr(self, "_password", None) is None or self._state.adding:
            super().save(*args, **kwargs)
            return
        with transaction.atomic():
            super().save(*args, **kwargs)
            Vault.objects.filter(user=self).update(stale=True)
            self.open_vaults.all().delete()
            self.api_tokens.all().end()

    @property
    def age(self) -> int | None:
        """Whole years, or None without a date of birth."""
        return age_on(self.date_of_birth, timezone.localdate()) if self.date_of_birth else None

    @property
    def email_verified(self) -> bool:
        """Whether the address this user signs in with has been verified."""
        return bool(EmailAddress.objects.filter(user=self, email__iexact=self.email, verified=True).exists())


class Account(models.Model):
    """An Ethereum address of somebody this portal knows: what acts, as opposed to who signs in."""

    class Kind(models.TextChoices):
        PATIENT = "patient"
        PRACTITIONER = "practitioner"
        INSTITUTION = "institution"
        MACHINE = "machine"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    address = models.CharField(max_length=42, unique=True, help_text="EIP-55 checksummed.")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="accounts")
    institution = models.ForeignKey(
        "accounts.Institution", on_delete=models.PROTECT, null=True, blank=True, related_name="accounts"
    )
    index = models.PositiveSmallIntegerField(help_text="The account's place in its phrase.")
    generation = models.PositiveIntegerField(default=0)
    key_version = models.PositiveIntegerField(default=1, help_text="Newest version of the sharing key.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("created_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["patient", "practitioner", "institution", "machine"]),
                name="account_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["patient", "practitioner"], user__isnull=False)
                | Q(kind__in=["institution", "machine"], institution__isnull=False),
                name="account_belongs_to_somebody",
            ),
            models.UniqueConstraint(fields=("user", "kind"), name="account_one_of_a_kind"),
            models.UniqueConstraint(
                fields=("institution",), condition=Q(kind="institution"), name="account_one_per_institution"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.address}"
