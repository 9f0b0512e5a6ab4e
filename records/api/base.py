"""What every view of the API has: the actor, checked input, and reading of raw bodies."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from accounts.actor import Actor
from accounts.errors import BadAddress
from accounts.models import Account
from accounts.services.directory import parse_address
from records.errors import AccessRefused, InvalidInput

PIECE = 256 * 1024


class ActorView(APIView):
    """A view for who holds a token."""

    takes_file = False
    """Whether the body is a file's bytes, whatever type it is said to have."""

    @property
    def actor(self) -> Actor:
        """As whom the token acts."""
        actor: Actor = self.request.auth  # type: ignore[assignment]
        return actor

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After the token: a patient's program that names another patient is refused, whatever it asks."""
        super().initial(request, *args, **kwargs)
        if self.actor.kind == Account.Kind.PATIENT:
            for named in _patients_named(request, with_body=not self.takes_file):
                _require_own(self.actor, named)


def _patients_named(request: Request, *, with_body: bool) -> list[Any]:
    sent: list[Any] = [request.query_params]
    is_json = request.content_type.partition(";")[0].strip().lower() == "application/json"
    if with_body and is_json and isinstance(request.data, dict):
        sent.append(request.data)
    return [values["patient"] for values in sent if values.get("patient")]


def _require_own(actor: Actor, named: Any) -> None:
    try:
        address = parse_address(str(named))
    except BadAddress as error:
        raise InvalidInput("patient", str(error)) from error
    if address != actor.address:
        raise AccessRefused("This token acts for another patient than the one named. Nothing was changed.")


def checked(shape: type[BaseSerializer[Any]], data: Any) -> dict[str, Any]:
    """The input by its shape. Raises ValidationError (400)."""
    found = shape(data=data)
    found.is_valid(raise_exception=True)
    values: dict[str, Any] = found.validated_data
    return values


def answer(shape: type[BaseSerializer[Any]], value: object, *, status: int = 200) -> Response:
    """The value in its shape."""
    return Response(_shown(shape, [value])[0], status=status)


def answer_list(
    shape: type[BaseSerializer[Any]],
    values: Iterable[object],
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """Each of the values in its shape."""
    return Response(_shown(shape, values), status=status, headers=headers)


def _shown(shape: type[BaseSerializer[Any]], values: Iterable[object]) -> list[Any]:
    made = _made(shape)  # type: ignore[arg-type]  # every class has a hash
    return [made.to_representation(value) for value in values]


@cache
def _made(shape: type[BaseSerializer[Any]]) -> BaseSerializer[Any]:
    """A serializer that only shows: making one copies every field, which costs more than showing."""
    return shape()


def body_of(request: Request) -> Iterator[bytes]:
    """The raw body, piece by piece, never in memory as a whole."""
    while piece := request._request.read(PIECE):
        yield piece


def length_of(request: Request) -> int | None:
    """The announced length of the body, in bytes."""
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdigit() else None
