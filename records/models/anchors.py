"""Anchors of view logs: what the chain has of them, and as what this portal's own log is anchored."""

from __future__ import annotations

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone

from chain.models import Act
from records.crypto.merkle import Frontier


class AnchorQuerySet(models.QuerySet["Anchor"]):
    """Reads of the anchors."""

    def of(self, author: str, log: str) -> AnchorQuerySet:
        """Those of one log, by its size."""
        return self.filter(author=author, log=log).order_by("size")

    def ours(self) -> AnchorQuerySet:
        """Those that this portal has signed, by the rows it has: others prove nothing of them."""
        return self.filter(_signed_here())

    def foreign(self) -> AnchorQuerySet:
        """Those that nobody signed here. Of our own log: signed before this database was restored."""
        return self.filter(~_signed_here())


def _signed_here() -> Exists:
    return Exists(Act.objects.filter(digest=OuterRef("act")))


class Anchor(models.Model):
    """An anchor as the chain has it, of this portal or another. Projection: written by handlers alone."""

    author = models.CharField(max_length=42)
    log = models.CharField(max_length=66)
    size = models.PositiveBigIntegerField(help_text="How many rows it covers, from the log's first on.")
    root = models.CharField(max_length=66)
    act = models.CharField(max_length=66, help_text="Digest of the act.")
    at = models.DateTimeField()
    block_number = models.PositiveBigIntegerField()
    tx_hash = models.CharField(max_length=66)

    objects = AnchorQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("author", "log", "size"), name="anchor_once"),)

    def __str__(self) -> str:
        return f"{self.size} rows of {self.log}"


class AnchoredLog(models.Model):
    """A log as which this portal's view log is anchored: the rows from position `start` on, `size` of them.

    Private. The one with the highest number is extended. Another ends where the next one starts.
    """

    number = models.PositiveIntegerField(unique=True)
    log = models.CharField(max_length=66, unique=True, help_text="Its id in the contract.")
    author = models.CharField(max_length=42, help_text="Whose key anchors it.")
    start = models.PositiveBigIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)
    peaks = models.BinaryField(default=bytes, help_text="Hashes of its complete subtrees; see FORMAT.md.")
    opened_at = models.DateTimeField(default=timezone.now)
    anchored_at = models.DateTimeField(null=True, help_text="When the last anchor was signed.")

    def __str__(self) -> str:
        return self.log

    @property
    def end(self) -> int:
        """The position of the row that comes next."""
        return self.start + self.size

    @property
    def frontier(self) -> Frontier:
        """Its Merkle tree, to go on from."""
        return Frontier(self.size, bytes(self.peaks))

    @property
    def anchors(self) -> AnchorQuerySet:
        """Return its anchors on the chain."""
        return Anchor.objects.of(self.author, self.log)
