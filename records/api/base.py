"""What every view of the API has: the actor, checked input, and reading of raw bodies."""

from collections.abc import Iterator
from typing import Any

from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from accounts.actor import Actor

PIECE = 256 * 1024


class ActorView(APIView):
    """A view for who holds a token."""

    @property
    def actor(self) -> Actor:
        """As whom the token acts."""
        actor: Actor = self.request.auth  # type: ignore[assignment]
        return actor


def checked(shape: type[BaseSerializer[Any]], data: Any) -> dict[str, Any]:
    """The input by its shape. Raises ValidationError (400)."""
    found = shape(data=data)
    found.is_valid(raise_exception=True)
    values: dict[str, Any] = found.validated_data
    return values


def body_of(request: Request) -> Iterator[bytes]:
    """The raw body, piece by piece, never in memory as a whole."""
    while piece := request._request.read(PIECE):
        yield piece


def length_of(request: Request) -> int | None:
    """The announced length of the body, in bytes."""
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdigit() else None
