"""The OpenAPI document: tokens, path parameters, names of choices, and the answer to a call that failed."""

import re
from typing import Any, Final, get_args, get_type_hints

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import Direction, OpenApiParameter, OpenApiResponse
from rest_framework.serializers import Serializer

from records.api.serializers.acts import ErrorSerializer
from records.shapes import ActState, GrantView, RequestView, ScopeView

# Choices that components share. SPECTACULAR_SETTINGS gives each a name.
ACT_STATES: Final = get_args(ActState)
ACCESS_REQUEST_STATES: Final = get_args(get_type_hints(RequestView)["state"])
GRANT_STATES: Final = get_args(get_type_hints(GrantView)["state"])
SCOPE_KINDS: Final = get_args(get_type_hints(ScopeView)["kind"])

_IN_PATHS: Final = {
    "record_id": (OpenApiTypes.STR, "Id of the record."),
    "upload_id": (OpenApiTypes.UUID, "Id of the upload."),
    "part": (OpenApiTypes.INT, "Number of the part, from 0."),
    "request_id": (OpenApiTypes.STR, "Id of the access request."),
    "refusal_id": (OpenApiTypes.UUID, "Id of the refusal."),
}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer <token>`."""

    target_class = "accounts.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """Return a bearer token, which the profile page makes."""
        return {"type": "http", "scheme": "bearer", "description": "A token from the profile page."}


class ApiSchema(AutoSchema):
    """The description of a call: its path is explained, and it may fail."""

    def get_override_parameters(self) -> list[OpenApiParameter | Serializer[Any] | type[Serializer[Any]]]:
        """Return the parameters of the path, described. Raises KeyError for an unknown one."""
        names = re.findall(r"{(\w+)}", self.path)
        described = [(name, *_IN_PATHS[name]) for name in names]
        return [
            OpenApiParameter(name, kind, OpenApiParameter.PATH, description=text)
            for name, kind, text in described
        ]

    def _get_response_bodies(self, direction: Direction = "response") -> Any:
        """Return the answers of the view, and an Error for every other status."""
        failure = OpenApiResponse(ErrorSerializer, description="The call failed.")
        return super()._get_response_bodies(direction) | {
            "default": self._get_response_for_code(  # type: ignore[no-untyped-call]
                failure, "default", direction=direction
            )
        }
