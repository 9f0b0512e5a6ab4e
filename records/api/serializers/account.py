"""The account of the token."""

from rest_framework import serializers

from records.api.serializers.base import DescribedSerializer


class AccountSerializer(DescribedSerializer):
    """The account for which the token acts."""

    address = serializers.CharField(help_text="Address of the account.")
    kind = serializers.CharField(help_text="Kind of account: patient, practitioner, institution or machine.")
    name = serializers.CharField()
    institutions = serializers.ListField(
        child=serializers.CharField(), help_text="Names of institutions that it belongs to."
    )
    key_fingerprint = serializers.CharField(help_text="Fingerprint of its published sharing key.")
    can_sign = serializers.BooleanField(help_text="Whether the token may change anything.")


class KeyTasksSerializer(DescribedSerializer):
    """The tasks that wait for the account's key."""

    waiting_count = serializers.IntegerField(help_text="Number of tasks that wait.")
