# ruff: noqa: ARG002  (every handler takes the request)
"""Acts that were accepted and not done, over the API: listed, sent again, dropped."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from records.api.base import ActorView, answer, answer_list
from records.api.serializers.acts import RefusalSerializer
from records.services import refusals


class RefusalList(ActorView):
    """Acts of the account that were accepted and not done."""

    @extend_schema(operation_id="list_refusals", responses=RefusalSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the refused acts that the author has still to decide on, oldest first."""
        return answer_list(RefusalSerializer, refusals.list_refusals(actor=self.actor))


class ResendRefusal(ActorView):
    """The repetition of a refused act."""

    @extend_schema(operation_id="resend_refusal", request=None, responses={202: RefusalSerializer})
    def post(self, request: Request, refusal_id: uuid.UUID) -> Response:
        """Sign a refused act anew for the present state and send it. 404 when it is decided already."""
        refusal = refusals.get_refusal(actor=self.actor, refusal=refusal_id)
        refusals.send_refused(actor=self.actor, refusal=refusal_id)
        return answer(RefusalSerializer, refusal, status=202)


class DropRefusal(ActorView):
    """The end of a refused act."""

    @extend_schema(operation_id="drop_refusal", request=None, responses={204: None})
    def post(self, request: Request, refusal_id: uuid.UUID) -> Response:
        """Drop a refused act, so that it is listed no more. 404 when it is decided already."""
        refusals.drop_refused(actor=self.actor, refusal=refusal_id)
        return Response(status=204)
