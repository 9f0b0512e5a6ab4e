# ruff: noqa: ARG002  (every handler takes the request)
"""Requests for access over the API."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from records.api.base import TOTAL, ActorView, answer, answer_list, checked
from records.api.serializers.access_requests import (
    AccessRequestSerializer,
    DenialSerializer,
    NewAccessRequestSerializer,
)
from records.api.serializers.base import PageQuery
from records.services import consent, requests


class AccessRequestList(ActorView):
    """Requests that the account made, and those made to it."""

    @extend_schema(
        operation_id="list_access_requests",
        parameters=[PageQuery, TOTAL],
        responses=AccessRequestSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List access requests. A patient gets a page of those received, anybody else all those made."""
        if self.actor.kind != "patient":
            return answer_list(AccessRequestSerializer, consent.requests_by(actor=self.actor))
        query = checked(PageQuery, request.query_params)
        start, count = query["offset"], consent.count_requests(actor=self.actor)
        views = consent.requests_for(actor=self.actor, start=start, end=start + query["limit"])
        return answer_list(AccessRequestSerializer, views, headers={"X-Total-Count": str(count)})

    @extend_schema(
        operation_id="create_access_request",
        request=NewAccessRequestSerializer,
        responses={201: AccessRequestSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask a patient for access. Whether an e-mail address is known, the answer does not tell."""
        values = checked(NewAccessRequestSerializer, request.data)
        if "email" in values:
            view = requests.request_by_email(actor=self.actor, **values)
        else:
            view = requests.request_access(actor=self.actor, **values)
        return answer(AccessRequestSerializer, view, status=201)


class AccessRequestView(ActorView):
    """A view of one request."""

    def answer_request(self, request_id: str) -> Response:
        """Return the request as it is now."""
        view = consent.get_request(actor=self.actor, request=request_id)
        return answer(AccessRequestSerializer, view)


class AccessRequestDetail(AccessRequestView):
    """A request."""

    @extend_schema(operation_id="get_access_request", responses=AccessRequestSerializer)
    def get(self, request: Request, request_id: str) -> Response:
        """Return an access request to its author or its patient."""
        return self.answer_request(request_id)


class DenyAccessRequest(AccessRequestView):
    """The denial of a request."""

    @extend_schema(
        operation_id="deny_access_request", request=DenialSerializer, responses=AccessRequestSerializer
    )
    def post(self, request: Request, request_id: str) -> Response:
        """Deny an access request."""
        reason = checked(DenialSerializer, request.data)["reason"]
        requests.deny_request(actor=self.actor, request=request_id, reason=reason)
        return self.answer_request(request_id)


class WithdrawAccessRequest(AccessRequestView):
    """The withdrawal of a request."""

    @extend_schema(operation_id="withdraw_access_request", request=None, responses=AccessRequestSerializer)
    def post(self, request: Request, request_id: str) -> Response:
        """Withdraw an access request that the account made."""
        requests.withdraw_request(actor=self.actor, request=request_id)
        return self.answer_request(request_id)
