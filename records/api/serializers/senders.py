"""Senders from whom a patient takes no records into the inbox."""

from rest_framework import serializers

from records.api.serializers.base import AccountAddressField, DescribedSerializer, ViewSerializer
from records.shapes import SenderView


class BlockedSenderSerializer(ViewSerializer[SenderView]):
    """A doctor or institution from whom nothing is taken into the inbox."""

    unblocking = serializers.BooleanField(
        source="lifting", help_text="Whether the end of the block waits for the chain."
    )

    class Meta:
        dataclass = SenderView
        fields = ("address", "name", "unblocking", "state", "act")
        extra_kwargs = {
            "address": {"help_text": "Address of the doctor or institution."},
            "state": {"help_text": "State of the patient's newest decision about this sender."},
        }


class SenderSerializer(DescribedSerializer):
    """A doctor or institution to block, or to take records from again."""

    sender = AccountAddressField()
