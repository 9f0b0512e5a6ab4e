"""Folders of a patient."""

from rest_framework import serializers

from records.api.serializers.base import DescribedSerializer
from records.services.folders import NAME_MAX


class FolderSerializer(DescribedSerializer):
    """A folder of the patient."""

    number = serializers.IntegerField(read_only=True, help_text="Number of the folder.")
    name = serializers.CharField(max_length=NAME_MAX)
    record_count = serializers.IntegerField(read_only=True)
