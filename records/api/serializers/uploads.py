"""Uploads: the description of a file, and where its bytes go."""

from rest_framework import serializers

from records.api.serializers.base import AccountAddressField, DescribedSerializer, ViewSerializer
from records.api.serializers.records import RecordDescriptionSerializer
from records.services.describing import FILE_NAME_MAX
from records.shapes import UploadView


class UploadSerializer(ViewSerializer[UploadView]):
    """An upload: where its bytes go, whole or in parts."""

    expires_at = serializers.DateTimeField(
        source="kept_until", help_text="When an unfinished upload is deleted."
    )
    part_count = serializers.IntegerField(
        source="parts", help_text="Number of parts. 0 where no size was described."
    )

    class Meta:
        dataclass = UploadView
        fields = (
            "id",
            "record",
            "state",
            "size",
            "max_bytes",
            "part_bytes",
            "part_count",
            "next_part",
            "digest",
            "expires_at",
        )
        extra_kwargs = {
            "id": {"help_text": "Id of the upload (UUID)."},
            "record": {"help_text": "Id that the record has, or will have."},
            "state": {"help_text": "State: `described`, `receiving` or `done`."},
            "size": {"help_text": "Size of the file in bytes. Null where none was described."},
            "max_bytes": {"help_text": "Size of the largest file that is accepted, in bytes."},
            "part_bytes": {"help_text": "Size of each part but the last, in bytes."},
            "next_part": {"help_text": "Number of the part that comes next, from 0."},
        }


class NewUploadSerializer(RecordDescriptionSerializer):
    """A file to upload, described. Its bytes follow as the raw body of a PUT."""

    patient = AccountAddressField(
        required=False,
        default=None,
        allow_null=True,
        help_text="Address of the patient. Null: the account itself, or the replaced record's patient.",
    )
    folder = serializers.IntegerField(
        min_value=0,
        max_value=65_535,
        default=None,
        allow_null=True,
        help_text="Number of the folder. A doctor without write permission names none: the inbox.",
    )
    nonce = serializers.CharField(
        allow_blank=True,
        default="",
        trim_whitespace=False,
        help_text="Text of the patient's choice that becomes part of the record's id.",
    )
    file_name = serializers.CharField(max_length=FILE_NAME_MAX)
    media_type = serializers.CharField(allow_blank=True, default="")
    size = serializers.IntegerField(min_value=0, default=None, allow_null=True)
    replaces = serializers.CharField(
        default=None, allow_null=True, help_text="Id of a record of which this is a new version."
    )


class UploadDigestSerializer(DescribedSerializer):
    """The digest of all parts, with which their sender finishes an upload."""

    digest = serializers.CharField(
        max_length=100, help_text="Hex digest of all parts of the file, computed as in `Upload.digest`."
    )
