"""Grants: those a patient gave, and those an account holds."""

from rest_framework import serializers

from records.api.serializers.base import (
    PERMISSIONS,
    SCOPE,
    AccountAddressField,
    DescribedSerializer,
    PageQuery,
    PermissionsField,
    ViewSerializer,
)
from records.kinds import KIND_CHOICES
from records.shapes import GrantView, PatientView, ScopeView


class GrantSerializer(ViewSerializer[GrantView]):
    """A grant as its patient sees it."""

    permissions = PermissionsField()

    class Meta:
        dataclass = GrantView
        fields = (
            "grantee",
            "grantee_name",
            "via",
            "scope",
            "scope_kind",
            "scope_name",
            "record_count",
            "permissions",
            "not_before",
            "expires_at",
            "days_left",
            "state",
            "request",
            "has_unusable_key",
        )
        extra_kwargs = {
            "state": {"help_text": "State of the grant."},
            "has_unusable_key": {
                "help_text": "Whether the grantee's published key cannot be used. Nothing new is shared then."
            },
        }


class NewGrantSerializer(DescribedSerializer):
    """Access to give: to folders, to records, or to a selection by kind and period."""

    grantee = AccountAddressField()
    via = AccountAddressField(allow_blank=True, default="")
    folders = serializers.ListField(child=serializers.IntegerField(min_value=1), default=list)
    records = serializers.ListField(child=serializers.CharField(), default=list)
    selection = serializers.BooleanField(
        default=False, help_text="Whether to share the records that `kinds`, `since` and `until` select now."
    )
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=KIND_CHOICES), default=list)
    since = serializers.DateField(default=None, allow_null=True)
    until = serializers.DateField(default=None, allow_null=True)
    permissions = serializers.ChoiceField(choices=PERMISSIONS, default="read")
    not_before = serializers.DateTimeField(
        default=None, allow_null=True, help_text="When access begins (ISO 8601). Null stands for now."
    )
    expires_at = serializers.DateTimeField(help_text="When access expires (ISO 8601).")
    request = serializers.CharField(default=None, allow_null=True)


class GrantGivenSerializer(DescribedSerializer):
    """A grant that the patient gave."""

    grantee = AccountAddressField()
    via = AccountAddressField(allow_blank=True, default="")
    scope = serializers.RegexField(SCOPE)


class GrantHeldSerializer(DescribedSerializer):
    """A grant that the account holds."""

    patient = AccountAddressField()
    via = AccountAddressField(allow_blank=True, default="")
    scope = serializers.RegexField(SCOPE)


class ScopeSerializer(ViewSerializer[ScopeView]):
    """A folder, record or selection that a patient shares with the account."""

    permissions = PermissionsField()

    class Meta:
        dataclass = ScopeView
        fields = ("scope", "kind", "name", "permissions", "expires_at", "days_left")
        extra_kwargs = {"kind": {"help_text": "Kind of scope."}}


class PatientSerializer(ViewSerializer[PatientView]):
    """A patient who granted access, through one institution."""

    scopes = ScopeSerializer(many=True, help_text="What the patient shares.")

    class Meta:
        dataclass = PatientView
        fields = ("address", "name", "via", "via_name", "scopes", "days_left")
        extra_kwargs = {"address": {"help_text": "Address of the patient."}}


class GrantedPatientsQuery(PageQuery):
    """A part of the list of patients. Anybody may grant access for which no key comes."""

    unopened = serializers.BooleanField(
        required=False, default=False, help_text="List the patients for whom no key has come, and no others."
    )
