"""Folders, records and versions as the chain tells them. Beside them what only this portal knows.

The projection (FolderState, Record, Version, BlockedSender) is written by records.handlers alone, keyed
by the chain's own ids, and can be dropped: it comes back the same.
"""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

# --- projection --------------------------------------------------------------------------------------------


class FolderState(models.Model):
    """A folder's current epoch and the digest of its sealed name."""

    patient = models.CharField(max_length=42)
    folder = models.PositiveIntegerField()
    epoch = models.PositiveBigIntegerField(default=0, help_text="generation << 16 | epoch.")
    name = models.CharField(max_length=66, blank=True, default="")
    name_serial = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("patient", "folder"), name="folder_state_once"),)

    def __str__(self) -> str:
        return f"folder {self.folder} of {self.patient}"


class Record(models.Model):
    """A record's state after its last confirmed event."""

    record = models.CharField(primary_key=True, max_length=66)
    patient = models.CharField(max_length=42)
    author = models.CharField(max_length=42)
    via = models.CharField(max_length=42, blank=True, default="")
    nonce = models.CharField(max_length=66)
    folder = models.PositiveIntegerField()
    epoch = models.PositiveBigIntegerField()
    version = models.PositiveIntegerField(default=1)
    closed = models.PositiveSmallIntegerField(
        default=0, help_text="0 open, 1 refused, 2 in error, 3 withdrawn."
    )
    created_at = models.DateTimeField()
    block_number = models.PositiveBigIntegerField()

    class Meta:
        ordering = ("-created_at", "record")
        indexes = (
            models.Index(fields=("patient", "folder"), name="record_patient_folder"),
            models.Index(fields=("author",), name="record_author"),
        )

    def __str__(self) -> str:
        return self.record


class Version(models.Model):
    """One version: which files, wrapped how, in which folder and epoch."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    author = models.CharField(max_length=42)
    via = models.CharField(max_length=42, blank=True, default="")
    folder = models.PositiveIntegerField()
    epoch = models.PositiveBigIntegerField()
    flags = models.PositiveSmallIntegerField(default=0)
    content = models.CharField(max_length=66)
    description = models.CharField(max_length=66)
    secret = models.CharField(max_length=82, help_text="40 bytes wrapped key, or 32 bytes digest of a list.")
    at = models.DateTimeField()
    block_number = models.PositiveBigIntegerField()
    tx_hash = models.CharField(max_length=66)

    class Meta:
        ordering = ("record_id", "version")
        constraints = (models.UniqueConstraint(fields=("record", "version"), name="version_once"),)
        indexes = (models.Index(fields=("content",), name="version_content"),)

    def __str__(self) -> str:
        return f"version {self.version} of {self.record_id}"


class BlockedSender(models.Model):
    """Whether a patient refuses inbox records from a doctor or institution."""

    patient = models.CharField(max_length=42)
    sender = models.CharField(max_length=42)
    blocked = models.BooleanField()
    serial = models.PositiveBigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("patient", "sender"), name="blocked_sender_once"),)

    def __str__(self) -> str:
        return f"{self.sender} {'blocked' if self.blocked else 'welcome'} at {self.patient}"


# --- private -----------------------------------------------------------------------------------------------


class PatientFolder(models.Model):
    """What the chain does not say of a folder: its sealed name, and the highest epoch ever handed out."""

    patient = models.CharField(max_length=42)
    folder = models.PositiveIntegerField()
    sealed_name = models.BinaryField(null=True, help_text="Under a folder key; it says which epoch's.")
    handed_epoch = models.PositiveBigIntegerField(default=0, help_text="Its secret was sealed to somebody.")
    incarnation = models.PositiveIntegerField(
        default=0, db_default=0, help_text="The database's life in which it was made, or moved on last."
    )
    handed_first = models.PositiveBigIntegerField(
        default=0, db_default=0, help_text="The epoch to which it was moved first in that life."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("patient", "folder")
        constraints = (models.UniqueConstraint(fields=("patient", "folder"), name="patient_folder_once"),)

    def __str__(self) -> str:
        return f"folder {self.folder} of {self.patient}"


class Upload(models.Model):
    """A described upload that waits for its bytes, then points at the act that registers them."""

    class State(models.TextChoices):
        DESCRIBED = "described"
        RECEIVING = "receiving"
        DONE = "done"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    author = models.CharField(max_length=42)
    patient = models.CharField(max_length=42)
    via = models.CharField(max_length=42, blank=True, default="")
    folder = models.PositiveIntegerField()
    record = models.CharField(max_length=66)
    nonce = models.CharField(max_length=66, blank=True, default="", help_text="Of a new record's id.")
    version = models.PositiveIntegerField(default=1)
    size = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="As described, bytes of plaintext."
    )
    sealed = models.BinaryField(help_text="Title, kind, names and nonce, sealed to the author.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.DESCRIBED)
    claim = models.UUIDField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    act = models.CharField(max_length=66, blank=True, default="", help_text="Digest of the act.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # By parts: how many were begun (and so may be encrypted) and how many are on disk; the same, or one more.
    parts_begun = models.PositiveIntegerField(default=0)
    parts_done = models.PositiveIntegerField(default=0)
    part_bytes = models.PositiveIntegerField(default=0, help_text="Size of each part but the last.")
    part_mac = models.BinaryField(
        default=bytes, help_text="Of the part begun last: it is taken again only so."
    )
    sealed_parts = models.BinaryField(
        default=bytes, help_text="Content key, salt, digest; sealed to the author."
    )
    staged = models.UUIDField(null=True, blank=True, unique=True, help_text="Name of the file in staging.")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["described", "receiving", "done"]), name="upload_state_known"
            ),
            models.CheckConstraint(
                condition=Q(parts_begun=F("parts_done")) | Q(parts_begun=F("parts_done") + 1),
                name="upload_one_part_begun",
            ),
        )
        indexes = (
            models.Index(fields=("state", "created_at"), name="upload_state"),
            models.Index(fields=("author", "state"), name="upload_author"),
            models.Index(fields=("via", "created_at"), name="upload_via"),
        )

    def __str__(self) -> str:
        return f"upload {self.id}"


class Blob(models.Model):
    """A small ciphertext (description, envelope, list, name) by its digest: first here, then in the store.

    So a list fetches nothing from the store, and consent does not wait for a store that is down. What a grant
    or a folder's move hands over is `held` back until its act is on the chain: until then no other portal
    can find it, and if the act comes to nothing it is erased.
    """

    class State(models.TextChoices):
        HELD = "held"
        NEW = "new"
        STORED = "stored"
        DELETING = "deleting"
        DELETED = "deleted"

    digest = models.CharField(primary_key=True, max_length=66)
    data = models.BinaryField(null=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.NEW)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["held", "new", "stored", "deleting", "deleted"]),
                name="blob_state_known",
            ),
        )
        indexes = (models.Index(fields=("state",), name="blob_state"),)

    def __str__(self) -> str:
        return self.digest


class QueuedKey(models.Model):
    """A version's data key sealed to its author and to the patient, until its act is settled and filed.

    Of two attempts at one version both are kept: which key opens which description is found by trying.
    """

    record = models.CharField(max_length=66)
    version = models.PositiveIntegerField()
    recipient = models.CharField(max_length=42)
    key_digest = models.CharField(max_length=66)
    author = models.CharField(max_length=42)
    patient = models.CharField(max_length=42)
    epoch = models.PositiveBigIntegerField()
    sealed = models.BinaryField()

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=("record", "version", "recipient"), name="queued_key_version"),)

    def __str__(self) -> str:
        return f"key of {self.record} for {self.recipient}"
