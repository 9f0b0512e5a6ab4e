"""Requests for access, and answers to them."""

from rest_framework import serializers

from records.api.serializers.base import (
    PERMISSIONS,
    AccountAddressField,
    DescribedSerializer,
    PermissionsField,
    ViewSerializer,
)
from records.kinds import KIND_CHOICES, PURPOSE_CHOICES
from records.services.requests import REASON_MAX
from records.services.terms import DAYS_MAX, NOTE_MAX
from records.shapes import RequestView, Terms


class TermsSerializer(ViewSerializer[Terms]):
    """The terms of an access request."""

    permissions = PermissionsField()

    class Meta:
        dataclass = Terms
        fields = ("purpose", "kinds", "permissions", "days", "note")


class AccessRequestSerializer(ViewSerializer[RequestView]):
    """A request for access, on the chain or sent by e-mail."""

    terms = TermsSerializer(allow_null=True, help_text="Terms. Null where they cannot be opened.")
    created_at = serializers.DateTimeField(source="requested_at")

    class Meta:
        dataclass = RequestView
        fields = (
            "id",
            "by_email",
            "patient",
            "author",
            "author_name",
            "via",
            "via_name",
            "terms",
            "state",
            "readability",
            "reason",
            "reason_damaged",
            "created_at",
        )
        extra_kwargs = {
            "id": {"help_text": "Id of the request: 0x and 64 hex digits, or a UUID if sent by e-mail."},
            "by_email": {"help_text": "Whether it was sent by e-mail."},
            "patient": {"help_text": "Address of the patient. Empty while an e-mail is unanswered."},
            "state": {"help_text": "State of the request."},
            "readability": {"help_text": "Whether the terms can be opened, and if not, the reason."},
            "reason": {"help_text": "Reason of the denial, or empty."},
            "reason_damaged": {"help_text": "Whether there is a reason that cannot be opened."},
        }


class NewAccessRequestSerializer(DescribedSerializer):
    """A request to a patient, by address or by e-mail: exactly one of them."""

    patient = AccountAddressField(required=False)
    email = serializers.EmailField(required=False, help_text="E-mail address of the patient.")
    via = AccountAddressField(help_text="Address of the institution through which access is requested.")
    purpose = serializers.ChoiceField(choices=PURPOSE_CHOICES)
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=KIND_CHOICES), default=list)
    permissions = serializers.ChoiceField(choices=PERMISSIONS, default="read")
    days = serializers.IntegerField(min_value=1, max_value=DAYS_MAX)
    note = serializers.CharField(allow_blank=True, default="", max_length=NOTE_MAX)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """Check that the patient is named in one way."""
        if ("patient" in attrs) == ("email" in attrs):
            raise serializers.ValidationError("Name the patient by `patient` or by `email`.")
        return attrs


class DenialSerializer(DescribedSerializer):
    """The reason of a denial. Only the author of the request can read it."""

    reason = serializers.CharField(allow_blank=True, default="", max_length=REASON_MAX)
