"""Signed acts, those that were refused, and the answer to every failure."""

from rest_framework import serializers

from records.api.serializers.base import DescribedSerializer, ViewSerializer
from records.services.refusals import Refusal


class ActSerializer(DescribedSerializer):
    """A signed act on its way to the chain."""

    id = serializers.UUIDField(help_text="Id of the act (UUID).")
    kind = serializers.CharField(help_text="Kind of act, as docs/CHAIN.md lists them.")
    state = serializers.CharField(help_text="State of the act on its way.")
    error = serializers.CharField()


class RefusalSerializer(ViewSerializer[Refusal]):
    """An act that was accepted and not done. Its author sends it again, or drops it."""

    class Meta:
        dataclass = Refusal
        fields = ("id", "kind", "title", "text", "code", "record", "created_at")
        extra_kwargs = {
            "id": {"help_text": "Id of the refusal (UUID)."},
            "kind": {"help_text": "Kind of act, as docs/CHAIN.md lists them."},
            "title": {"help_text": "What was not done, in a few words."},
            "text": {"help_text": "What that means, and what can be done."},
            "code": {"help_text": "Error of the contract, or `Overtaken`."},
        }


class ErrorSerializer(DescribedSerializer):
    """The answer to a call that failed."""

    error = serializers.CharField(help_text="What happened, in plain words.")
    field = serializers.CharField(required=False, help_text="Field of the body or query that is not right.")
    fields = serializers.DictField(  # type: ignore[assignment]  # a field, not what Serializer calls fields
        required=False, help_text="Fields that are not right, each with its reasons."
    )
    starts_over = serializers.BooleanField(
        required=False, help_text="Whether an upload in parts has to be sent again from its first part."
    )
