# ruff: noqa: ARG002  (every handler takes the request)
"""What was accepted and not done, over the API: listed, sent again, dropped."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from records.api.base import ActorView, answer, answer_list
from records.api.shapes import RefusalShape
from records.services import refusals


class Refusals(ActorView):
    """What of the actor's was accepted and not done."""

    @extend_schema(operation_id="list_refusals", responses=RefusalShape(many=True))
    def get(self, request: Request) -> Response:
        """What is not decided, oldest first."""
        return answer_list(RefusalShape, refusals.list_refusals(actor=self.actor))


class SendRefused(ActorView):
    """Doing again what was not done."""

    @extend_schema(operation_id="send_refused", request=None, responses={202: RefusalShape})
    def post(self, request: Request, refusal: uuid.UUID) -> Response:
        """Signed anew for the state there is now. 404 when it is decided already."""
        found = refusals.get_refusal(actor=self.actor, refusal=refusal)
        refusals.send_refused(actor=self.actor, refusal=refusal)
        return answer(RefusalShape, found, status=202)


class DropRefused(ActorView):
    """Leaving it as it is."""

    @extend_schema(operation_id="drop_refused", request=None, responses={204: None})
    def post(self, request: Request, refusal: uuid.UUID) -> Response:
        """It is listed no more. 404 when it is decided already."""
        refusals.drop_refused(actor=self.actor, refusal=refusal)
        return Response(status=204)
