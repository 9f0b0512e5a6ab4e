"""Records and their versions."""

from rest_framework import serializers

from records.api.serializers.base import (
    AccountAddressField,
    DescribedSerializer,
    PatientQuery,
    ViewSerializer,
)
from records.kinds import KIND_CHOICES
from records.services.describing import TITLE_MAX
from records.services.searching import TEXT_MAX
from records.shapes import RecordView, VersionView


class VersionSerializer(ViewSerializer[VersionView]):
    """A version of a record."""

    ordinal = serializers.IntegerField(
        source="number",
        help_text="1, 2, 3 and so on, as people count versions. One that changed nothing is left out.",
    )
    readable = serializers.BooleanField()

    class Meta:
        dataclass = VersionView
        fields = (
            "version",
            "ordinal",
            "author",
            "via",
            "title",
            "kind",
            "service_date",
            "file_name",
            "media_type",
            "size",
            "content",
            "state",
            "block_number",
            "tx_hash",
            "created_at",
            "readable",
            "readability",
        )
        extra_kwargs = {"kind": {"help_text": "Kind of record: a LOINC code."}}


class RecordSerializer(ViewSerializer[RecordView]):
    """A record as this account may see it: its latest version, and all versions."""

    id = serializers.CharField(source="record", help_text="Id of the record (0x and 64 hex digits).")
    readable = serializers.BooleanField()
    versions = VersionSerializer(many=True, help_text="Versions, oldest first.")

    class Meta:
        dataclass = RecordView
        fields = (
            "id",
            "patient",
            "author",
            "author_name",
            "via",
            "folder",
            "folder_name",
            "version",
            "title",
            "kind",
            "kind_name",
            "service_date",
            "file_name",
            "media_type",
            "size",
            "state",
            "error",
            "block_number",
            "tx_hash",
            "can_write",
            "closed",
            "readable",
            "readability",
            "created_at",
            "versions",
        )
        extra_kwargs = {
            "kind": {"help_text": "Kind of record: a LOINC code."},
            "can_write": {"help_text": "Whether this account may add versions."},
            "closed": {
                "help_text": "Empty while it is open, else `refused`, `entered in error` or `withdrawn`."
            },
        }


class RecordDescriptionSerializer(DescribedSerializer):
    """The description of a record, which its author writes."""

    title = serializers.CharField(max_length=TITLE_MAX, help_text="Title of the record.")
    kind = serializers.ChoiceField(choices=KIND_CHOICES, help_text="Kind of record: a LOINC code.")
    service_date = serializers.DateField(allow_null=True, default=None)
    via = AccountAddressField(allow_blank=True, default="")


class RecordMoveSerializer(DescribedSerializer):
    """The folder into which a record moves."""

    folder = serializers.IntegerField(min_value=1, max_value=65_535, help_text="Number of the folder.")


class RecordQuery(PatientQuery):
    """Conditions on the records of a patient. Without `limit` all of them are listed, newest first."""

    folder = serializers.IntegerField(required=False, min_value=0)
    kind = serializers.ChoiceField(
        choices=KIND_CHOICES, required=False, help_text="Kind of record: a LOINC code."
    )
    since = serializers.DateField(
        required=False, help_text="First date of service, or of receipt where there is none."
    )
    until = serializers.DateField(
        required=False, help_text="Last date of service, or of receipt where there is none."
    )
    author = AccountAddressField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=1000)
    offset = serializers.IntegerField(required=False, min_value=0, default=0)


class RecordSearchSerializer(RecordQuery):
    """The same conditions, and words to search for."""

    text = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=TEXT_MAX,
        help_text="Each word stands in the title, the file name, the kind or the author's name.",
    )


class ExportQuery(PatientQuery):
    """The records of an export."""

    versions = serializers.ChoiceField(
        choices=["newest", "all"], default="newest", help_text="Versions of each record that are exported."
    )


class VersionQuery(DescribedSerializer):
    """A version. Without it the newest is meant."""

    version = serializers.IntegerField(required=False, min_value=1)
