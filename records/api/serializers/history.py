"""The access history of a patient."""

from rest_framework import serializers

from records.api.serializers.base import AccountAddressField, DescribedSerializer, ViewSerializer
from records.shapes import HistoryEntry


class HistoryEntrySerializer(ViewSerializer[HistoryEntry]):
    """An entry of the access history: a view of a record, or a step of consent.

    Block and transaction of a view are those of the anchor that covers it, once confirmed.
    """

    class Meta:
        dataclass = HistoryEntry
        fields = (
            "at",
            "action",
            "text",
            "agent",
            "agent_name",
            "via",
            "record",
            "title",
            "state",
            "block_number",
            "tx_hash",
            "count",
            "first_at",
        )
        extra_kwargs = {
            "at": {"help_text": "When it happened (ISO 8601). Of several views or requests, the newest."},
            "action": {"help_text": "What was done: `viewed`, `granted`, `revoked` and so on."},
            "text": {"help_text": "The same as a sentence without its subject, which is the agent."},
            "count": {"help_text": "Number of views or requests that this entry stands for."},
            "first_at": {"help_text": "When the oldest of them happened (ISO 8601)."},
        }


class HistoryQuery(DescribedSerializer):
    """Conditions on the entries of the access history, and where to go on."""

    topic = serializers.ChoiceField(
        ["", "views", "sharing", "changes"], required=False, help_text="Topic of the entries. Empty: all."
    )
    record = serializers.CharField(required=False, help_text="Id of a record.")
    agent = AccountAddressField(required=False)
    fold = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Join an agent's views of one record, and a sender's requests, to one entry.",
    )
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, default=500, min_value=1, max_value=1000)
