"""Requests and grants as the chain tells them; beside them envelopes, selections and drafts.

Projection: Request, Grant, Rekey (written by records.handlers alone). Private: the rest.
"""

import uuid
from typing import Any, TypeAlias

from django.db import models
from django.db.models import Q
from django.utils import timezone

Rows: TypeAlias = "models.JSONField[list[dict[str, Any]], list[dict[str, Any]]]"

# --- projection --------------------------------------------------------------------------------------------


class Request(models.Model):
    """A doctor's (or institution's) request to a patient."""

    class State(models.TextChoices):
        OPEN = "open"
        DENIED = "denied"
        WITHDRAWN = "withdrawn"

    request = models.CharField(primary_key=True, max_length=66)
    patient = models.CharField(max_length=42)
    author = models.CharField(max_length=42)
    via = models.CharField(max_length=42, blank=True, default="")
    nonce = models.CharField(max_length=66)
    envelopes = models.CharField(max_length=66)
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    reason = models.CharField(max_length=66, blank=True, default="", help_text="Digest of the envelopes.")
    requested_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    block_number = models.PositiveBigIntegerField()

    class Meta:
        ordering = ("-requested_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["open", "denied", "withdrawn"]), name="request_state_known"
            ),
        )
        indexes = (
            models.Index(fields=("patient", "state"), name="request_patient"),
            models.Index(fields=("author",), name="request_author"),
        )

    def __str__(self) -> str:
        return self.request


class Grant(models.Model):
    """The latest word on one (patient, grantee, via, scope)."""

    class Ended(models.TextChoices):
        NO = "", "not ended"
        REVOKED = "revoked"
        GIVEN_UP = "given up"

    patient = models.CharField(max_length=42)
    grantee = models.CharField(max_length=42)
    via = models.CharField(max_length=42, blank=True, default="")
    scope = models.CharField(max_length=66, help_text="0x and 64 hex digits; below 2^16 a folder.")
    permissions = models.PositiveSmallIntegerField(default=0, help_text="1 read, 3 read and write.")
    not_before = models.DateTimeField(null=True, blank=True)
    expiry = models.DateTimeField(null=True, blank=True)
    epoch = models.PositiveBigIntegerField(default=0)
    envelopes = models.CharField(max_length=66, blank=True, default="")
    request = models.CharField(max_length=66, blank=True, default="")
    serial = models.PositiveBigIntegerField()
    affiliation_serial = models.PositiveBigIntegerField(default=0, help_text="When given; 0 without a via.")
    ended = models.CharField(max_length=8, choices=Ended.choices, blank=True, default="")
    granted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    block_number = models.PositiveBigIntegerField()

    class Meta:
        ordering = ("-granted_at",)
        constraints = (
            models.UniqueConstraint(fields=("patient", "grantee", "via", "scope"), name="grant_once"),
            models.CheckConstraint(
                condition=Q(ended__in=["", "revoked", "given up"]), name="grant_ended_known"
            ),
        )
        indexes = (
            models.Index(fields=("grantee", "ended", "expiry"), name="grant_grantee"),
            models.Index(fields=("patient", "scope"), name="grant_patient_scope"),
            models.Index(fields=("request",), name="grant_request"),
        )

    def __str__(self) -> str:
        return f"{self.patient} to {self.grantee} for {self.scope}"

    @property
    def folder(self) -> int | None:
        """The folder's number, when the scope is a folder."""
        number = int(self.scope, 16)
        return number if number < 2**16 else None


class Rekey(models.Model):
    """A folder moved to a higher epoch; its list of new envelopes."""

    patient = models.CharField(max_length=42)
    folder = models.PositiveIntegerField()
    epoch = models.PositiveBigIntegerField()
    envelopes = models.CharField(max_length=66)
    at = models.DateTimeField()
    block_number = models.PositiveBigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("patient", "folder", "epoch"), name="rekey_once"),)

    def __str__(self) -> str:
        return f"folder {self.folder} of {self.patient} to {self.epoch}"


# --- private -----------------------------------------------------------------------------------------------


class EnvelopeList(models.Model):
    """What one act says with a public list of envelopes: the list's digest and the context of its envelopes.

    Any act may name any list. So a list that acts name in two contexts has two rows.
    """

    digest = models.CharField(max_length=66)
    purpose = models.PositiveSmallIntegerField(help_text="records.crypto.envelopes.Purpose.")
    sender = models.CharField(max_length=42)
    patient = models.CharField(max_length=42)
    scope = models.CharField(max_length=66)
    epoch = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    sealed_here = models.BooleanField(
        null=True, help_text="Whether this portal has sealed it; empty: known by its envelopes, or not asked."
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("digest", "purpose", "sender", "patient", "scope", "epoch"), name="envelope_list_once"
            ),
        )
        indexes = (models.Index(fields=("patient", "scope", "epoch"), name="envelope_list_scope"),)

    def __str__(self) -> str:
        return f"{self.purpose} list {self.digest}"


class Envelope(models.Model):
    """One entry of a list, in one context. Not used any more once its grant has ended (`deleted_at`).

    Its bytes are erased then, if they are `verified`: sealed here for this list, or opened by its recipient's
    key in this list's context. An entry of which only its list says so may be anybody's file.
    """

    list = models.ForeignKey(EnvelopeList, on_delete=models.CASCADE, related_name="envelopes")
    recipient = models.CharField(max_length=42)
    key_digest = models.CharField(max_length=66)
    digest = models.CharField(max_length=66)
    verified = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("list", "recipient", "key_digest"), name="envelope_once"),
        )
        indexes = (
            models.Index(fields=("recipient", "list"), name="envelope_recipient"),
            models.Index(fields=("digest",), name="envelope_digest"),
        )

    def __str__(self) -> str:
        return self.digest


class Selection(models.Model):
    """Records granted together: the chain has the id, which is the digest of this list."""

    selection = models.CharField(primary_key=True, max_length=66)
    patient = models.CharField(max_length=42)
    nonce = models.CharField(max_length=66)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.selection


class SelectionRecord(models.Model):
    """A record of a selection."""

    selection = models.ForeignKey(Selection, on_delete=models.CASCADE, related_name="records")
    record = models.CharField(max_length=66)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("selection", "record"), name="selection_record_once"),)
        indexes = (models.Index(fields=("record",), name="selection_record"),)

    def __str__(self) -> str:
        return self.record


class EmailRequest(models.Model):
    """A request mailed as a link: its secret opens the sealed terms; here is only the secret's digest."""

    class State(models.TextChoices):
        SENT = "sent"
        DENIED = "denied"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    author = models.CharField(max_length=42)
    via = models.CharField(max_length=42, blank=True, default="")
    email = models.EmailField("e-mail")
    digest = models.CharField(max_length=66, unique=True, editable=False, help_text="SHA-256 of the secret.")
    sealed = models.BinaryField(help_text="Terms under a key made from the secret.")
    sealed_author = models.BinaryField(help_text="Terms sealed to the author.")
    patient = models.CharField(max_length=42, blank=True, default="", help_text="Who opened it.")
    sealed_patient = models.BinaryField(null=True, help_text="Terms sealed to the patient who opened it.")
    sealed_reason = models.BinaryField(
        null=True, help_text="Why it was denied: digest of the author's key (32 bytes), envelope."
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.SENT)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["sent", "denied", "withdrawn"]), name="email_request_state_known"
            ),
        )
        indexes = (
            models.Index(fields=("author",), name="email_request_author"),
            models.Index(fields=("via", "created_at"), name="email_request_via"),
            models.Index(fields=("email", "created_at"), name="email_request_email"),
        )

    def __str__(self) -> str:
        return f"mailed request {self.id}"


class RequestAnswer(models.Model):
    """How often a request was answered: each answer names the number that it saw, so of two at once one wins.

    An answer is a grant, a refusal, or the author's taking back. What it was, its acts say.
    """

    request = models.CharField(
        primary_key=True, max_length=66, help_text="Id on the chain, or the UUID of a mailed request."
    )
    number = models.PositiveIntegerField(default=1)
    answered_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"answer {self.number} of {self.request}"


class GrantDraft(models.Model):
    """Acts prepared for a confirmation page: exactly these fields will be signed.

    Their envelopes stay here, sealed, and go nowhere before the patient has confirmed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.CharField(max_length=42)
    acts: Rows = models.JSONField()
    lists: Rows = models.JSONField()
    selections: Rows = models.JSONField(default=list)
    email_request = models.UUIDField(null=True, blank=True)
    answer_seen = models.PositiveIntegerField(default=0, help_text="RequestAnswer's number, when proposed.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    granted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=("granted_at", "created_at"), name="grant_draft_age"),)

    def __str__(self) -> str:
        return f"draft {self.id}"


class EmailGrant(models.Model):
    """Which acts answered a mailed request."""

    request = models.ForeignKey(EmailRequest, on_delete=models.CASCADE, related_name="grants")
    slot = models.CharField(max_length=250)
    serial = models.PositiveBigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("request", "slot"), name="email_grant_once"),)

    def __str__(self) -> str:
        return self.slot
