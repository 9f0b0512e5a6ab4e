"""What every serializer has: a sentence for each field, and the types of the dataclass that it shows."""

from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework_dataclasses.serializers import DataclassSerializer
from rest_framework_dataclasses.types import Dataclass

from accounts.directory import parse_address
from accounts.errors import BadAddress
from records.api.serializers.texts import TEXTS

ADDRESS_MAX = 320  # characters, with all that may come around an address
PERMISSIONS = [("read", "Read"), ("write", "Read, add and modify")]
SCOPE = r"^0x[0-9a-f]{64}$"
View = TypeVar("View", bound=Dataclass)


class DescribedSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """A serializer whose fields are all described, by themselves or in TEXTS."""

    def get_fields(self) -> dict[str, Any]:
        """Return the fields. Raises KeyError where one has no description."""
        fields = super().get_fields()
        for name, field in fields.items():
            field.help_text = field.help_text or TEXTS[name]
        return fields


class ViewSerializer(DescribedSerializer, DataclassSerializer[View]):
    """A serializer that shows a dataclass: types, choices and null come from its annotations.

    `Meta.fields` names what is shown. A field that the dataclass gains is shown nowhere by itself.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.Meta.ref_name = cls.__name__.removesuffix("Serializer")  # type: ignore[attr-defined]

    def get_fields(self) -> dict[str, Any]:
        """Return the fields. A default of the dataclass leaves none of them out of an answer."""
        fields = super().get_fields()
        for field in fields.values():
            field.required = True
        return fields


class AccountAddressField(serializers.CharField):
    """An account's address, as pasted. Small letters alone are taken, mixed ones are checked (EIP-55)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=ADDRESS_MAX, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the address. Raises ValidationError."""
        try:
            return parse_address(super().to_internal_value(data))
        except BadAddress as error:
            raise serializers.ValidationError(str(error)) from error


class PermissionsField(serializers.ChoiceField):
    """What access allows, shown from the `write` of a dataclass."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=PERMISSIONS, source="write", **kwargs)

    def to_representation(self, value: Any) -> str:
        """Return "write" or "read"."""
        return "write" if value else "read"


class PageQuery(DescribedSerializer):
    """A part of a list that others can make long."""

    limit = serializers.IntegerField(required=False, default=500, min_value=1, max_value=1000)
    offset = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31)


class PatientQuery(DescribedSerializer):
    """A patient, and the institution through which the patient granted access."""

    patient = AccountAddressField(required=False)
    via = AccountAddressField(required=False)
