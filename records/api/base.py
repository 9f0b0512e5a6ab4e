"""What every view of the API has: the actor, checked input, and reading of raw bodies."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from accounts.actor import Actor
from accounts.directory import parse_address
from accounts.errors import BadAddress
from accounts.models import Account
from records.errors import AccessRefused, InvalidInput

PIECE = 256 * 1024
TOTAL = OpenApiParameter(
    "X-Total-Count",
    int,
    OpenApiParameter.HEADER,
    response=[200],
    description="Number of items in all, before limit and offset.",
)


class ActorView(APIView):
    """A view for those who have a token."""

    takes_file = False
    """Whether the body is a file's bytes, whatever type it is said to have."""

    @property
    def actor(self) -> Actor:
        """Return the account for which the token acts."""
        actor: Actor = self.request.auth  # type: ignore[assignment]
        return actor

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a patient's program that names another patient, whatever it asks."""
        super().initial(request, *args, **kwargs)
        if self.actor.kind == Account.Kind.PATIENT:
            for patient in _patients_named(request, with_body=not self.takes_file):
                _require_own(self.actor, patient)


def _patients_named(request: Request, *, with_body: bool) -> list[Any]:
    sent: list[Any] = [request.query_params]
    is_json = request.content_type.partition(";")[0].strip().lower() == "application/json"
    if with_body and is_json and isinstance(request.data, dict):
        sent.append(request.data)
    return [values["patient"] for values in sent if values.get("patient")]


def _require_own(actor: Actor, patient: Any) -> None:
    try:
        address = parse_address(str(patient))
    except BadAddress as error:
        raise InvalidInput("patient", str(error)) from error
    if address != actor.address:
        raise AccessRefused("This token acts for another patient than the one named. Nothing was changed.")


def checked(serializer_class: type[BaseSerializer[Any]], data: Any) -> dict[str, Any]:
    """Return the input as its serializer reads it. Raises ValidationError (400)."""
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def answer(serializer_class: type[BaseSerializer[Any]], value: object, *, status: int = 200) -> Response:
    """Return an answer that shows the value."""
    return Response(_show(serializer_class, [value])[0], status=status)


def answer_list(
    serializer_class: type[BaseSerializer[Any]],
    values: Iterable[object],
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an answer that shows each of the values."""
    return Response(_show(serializer_class, values), status=status, headers=headers)


def _show(serializer_class: type[BaseSerializer[Any]], values: Iterable[object]) -> list[Any]:
    serializer = _serializer(serializer_class)  # type: ignore[arg-type]  # every class has a hash
    return [serializer.to_representation(value) for value in values]


@cache
def _serializer(serializer_class: type[BaseSerializer[Any]]) -> BaseSerializer[Any]:
    """Make a serializer once for showing. To make one copies every field, which costs more than showing."""
    return serializer_class()


def body_of(request: Request) -> Iterator[bytes]:
    """Yield the raw body piece by piece, never in memory as a whole."""
    while piece := request._request.read(PIECE):
        yield piece


def length_of(request: Request) -> int | None:
    """Return the announced length of the body in bytes, or None."""
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdigit() else None
