# ruff: noqa: ARG002  (every handler takes the request)
"""Blocked senders over the API."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actor import Actor
from records.api.base import ActorView, answer_list, checked
from records.api.serializers.senders import BlockedSenderSerializer, SenderSerializer
from records.services import inbox, senders


class BlockedSenderList(ActorView):
    """Senders from whom a patient takes no records into the inbox."""

    @extend_schema(operation_id="list_blocked_senders", responses=BlockedSenderSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the senders whom the patient blocks."""
        return answer_list(BlockedSenderSerializer, senders.list_senders(actor=self.actor))


class BlockSender(ActorView):
    """The block of a sender."""

    @extend_schema(
        operation_id="block_sender",
        request=SenderSerializer,
        responses={202: BlockedSenderSerializer(many=True)},
    )
    def post(self, request: Request) -> Response:
        """Block a doctor or an institution. The portal obeys at once. Repeated calls have one effect."""
        return _decide(self.actor, request, blocked=True)


class UnblockSender(ActorView):
    """The end of a block."""

    @extend_schema(
        operation_id="unblock_sender",
        request=SenderSerializer,
        responses={202: BlockedSenderSerializer(many=True)},
    )
    def post(self, request: Request) -> Response:
        """Take records from a doctor or an institution again, once the chain has confirmed it."""
        return _decide(self.actor, request, blocked=False)


def _decide(actor: Actor, request: Request, *, blocked: bool) -> Response:
    inbox.block_sender(actor=actor, **checked(SenderSerializer, request.data), blocked=blocked)
    return answer_list(BlockedSenderSerializer, senders.list_senders(actor=actor), status=202)
