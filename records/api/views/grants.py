# ruff: noqa: ARG002  (every handler takes the request)
"""Grants over the API, and the patients who gave them."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from records.api.base import TOTAL, ActorView, answer, answer_list, checked
from records.api.serializers.acts import ActSerializer
from records.api.serializers.grants import (
    GrantedPatientsQuery,
    GrantGivenSerializer,
    GrantHeldSerializer,
    GrantSerializer,
    NewGrantSerializer,
    PatientSerializer,
)
from records.services import consent, grants, revocations


class GrantList(ActorView):
    """Grants that a patient gave."""

    @extend_schema(operation_id="list_grants", responses=GrantSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the grants that the patient gave: waiting, live and ended ones."""
        return answer_list(GrantSerializer, consent.grants_by(actor=self.actor))

    @extend_schema(
        operation_id="create_grant", request=NewGrantSerializer, responses={202: ActSerializer(many=True)}
    )
    def post(self, request: Request) -> Response:
        """Give access. It begins once the chain has confirmed it."""
        proposal = grants.propose_grant(actor=self.actor, **checked(NewGrantSerializer, request.data))
        acts = grants.grant_access(actor=self.actor, proposal=proposal)
        return answer_list(ActSerializer, acts, status=202)


class RevokeGrant(ActorView):
    """The end of a grant that the patient gave."""

    @extend_schema(operation_id="revoke_grant", request=GrantGivenSerializer, responses={202: ActSerializer})
    def post(self, request: Request) -> Response:
        """Revoke a grant that the patient gave. The portal obeys at once."""
        act = revocations.revoke_access(actor=self.actor, **checked(GrantGivenSerializer, request.data))
        return answer(ActSerializer, act, status=202)


class GiveUpGrant(ActorView):
    """The end of a grant that the account holds."""

    @extend_schema(operation_id="give_up_grant", request=GrantHeldSerializer, responses={202: ActSerializer})
    def post(self, request: Request) -> Response:
        """Give up a grant that the account holds. The portal obeys at once."""
        act = revocations.give_up_access(actor=self.actor, **checked(GrantHeldSerializer, request.data))
        return answer(ActSerializer, act, status=202)


class PatientList(ActorView):
    """Patients whose records the account may open."""

    @extend_schema(
        operation_id="list_patients",
        parameters=[GrantedPatientsQuery, TOTAL],
        responses=PatientSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List the patients who granted access, with what they share, once for each institution."""
        query = checked(GrantedPatientsQuery, request.query_params)
        start, has_key = query["offset"], not query["unopened"]
        end = start + query["limit"]
        views = consent.patients_of(actor=self.actor, opened=has_key, start=start, end=end)
        count = consent.count_patients(actor=self.actor, opened=has_key)
        return answer_list(PatientSerializer, views, headers={"X-Total-Count": str(count)})
