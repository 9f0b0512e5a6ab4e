"""Which contract this database belongs to. It is written at the first use, and never changes."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class ChainIdentity(models.Model):
    """A contract that holds this database's acts.

    One is in use. A predecessor keeps its row, with the last block whose events count.
    """

    chain_id = models.PositiveBigIntegerField()
    contract = models.CharField(max_length=42)
    origin_chain = models.PositiveBigIntegerField()
    origin_contract = models.CharField(max_length=42)
    first_block = models.PositiveBigIntegerField(default=0, help_text="The first that can hold its events.")
    last_block = models.PositiveBigIntegerField(
        null=True, help_text="The last whose events count; empty while the contract is in use."
    )
    noted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("first_block", "pk")
        constraints = (
            models.UniqueConstraint(fields=("contract",), name="identity_contract_once"),
            models.UniqueConstraint(
                models.ExpressionWrapper(Q(last_block=None), output_field=models.BooleanField()),
                condition=Q(last_block=None),
                name="identity_one_in_use",
            ),
        )

    def __str__(self) -> str:
        return f"contract {self.contract} on chain {self.chain_id}"
