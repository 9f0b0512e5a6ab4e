# ruff: noqa: ARG002  (every handler takes the request)
"""Requests, grants and the access history over the API."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from records.api.base import ActorView, answer, answer_list, checked
from records.api.shapes import (
    ActShape,
    AskShape,
    EndShape,
    GiveShape,
    GiveUpShape,
    GrantShape,
    HistoryQuery,
    HistoryShape,
    MeShape,
    PageQuery,
    PatientShape,
    PatientsQuery,
    ReasonShape,
    RequestShape,
)
from records.services import consent, grants, log, requests, revocations
from records.services.naming import person_named_to

TOTAL = OpenApiParameter(
    "X-Total-Count", int, OpenApiParameter.HEADER, response=[200], description="How many there are in all."
)
LINK = OpenApiParameter(
    "Link",
    str,
    OpenApiParameter.HEADER,
    response=[200],
    description='Where older lines follow, `<address>; rel="next"` (RFC 8288) has their cursor.',
)


class Me(ActorView):
    """As whom the token acts."""

    @extend_schema(operation_id="me", responses=MeShape)
    def get(self, request: Request) -> Response:
        """The account: address, name, institutions, fingerprint of the sharing key."""
        person = person_named_to(self.actor, self.actor.address)
        body = {
            "address": self.actor.address,
            "kind": self.actor.kind,
            "name": person.name,
            "institutions": person.institutions,
            "key_fingerprint": person.key_fingerprint,
            "can_sign": self.actor.can_sign,
        }
        return answer(MeShape, body)


class Requests(ActorView):
    """Requests that the actor made, and those made to the actor."""

    @extend_schema(
        operation_id="list_requests",
        parameters=[PageQuery, TOTAL],
        responses=RequestShape(many=True),
    )
    def get(self, request: Request) -> Response:
        """A patient gets those made to the patient, a page at a time; anybody else all those made."""
        if self.actor.kind != "patient":
            return answer_list(RequestShape, consent.requests_by(actor=self.actor))
        query = checked(PageQuery, request.query_params)
        start, count = query["offset"], consent.count_requests(actor=self.actor)
        found = consent.requests_for(actor=self.actor, start=start, end=start + query["limit"])
        return answer_list(RequestShape, found, headers={"X-Total-Count": str(count)})

    @extend_schema(operation_id="request_access", request=AskShape, responses={201: RequestShape})
    def post(self, request: Request) -> Response:
        """Ask a patient for access. By e-mail, a link is mailed; known or unknown, the answer is the same."""
        values = checked(AskShape, request.data)
        if "email" in values:
            view = requests.request_by_email(actor=self.actor, **values)
        else:
            view = requests.request_access(actor=self.actor, **values)
        return answer(RequestShape, view, status=201)


class OneRequest(ActorView):
    """A request."""

    @extend_schema(operation_id="get_request", responses=RequestShape)
    def get(self, request: Request, asked: str) -> Response:
        """For who asked and who is asked."""
        return answer(RequestShape, consent.get_request(actor=self.actor, request=asked))


class Deny(ActorView):
    """Refusing a request."""

    @extend_schema(operation_id="deny_request", request=ReasonShape, responses=RequestShape)
    def post(self, request: Request, asked: str) -> Response:
        """With a reason that only its author can read."""
        reason = checked(ReasonShape, request.data)["reason"]
        requests.deny_request(actor=self.actor, request=asked, reason=reason)
        return answer(RequestShape, consent.get_request(actor=self.actor, request=asked))


class Withdraw(ActorView):
    """Taking a request back."""

    @extend_schema(operation_id="withdraw_request", request=None, responses=RequestShape)
    def post(self, request: Request, asked: str) -> Response:
        """One's own."""
        requests.withdraw_request(actor=self.actor, request=asked)
        return answer(RequestShape, consent.get_request(actor=self.actor, request=asked))


class Grants(ActorView):
    """Grants that the actor, a patient, has given."""

    @extend_schema(operation_id="list_grants", responses=GrantShape(many=True))
    def get(self, request: Request) -> Response:
        """What waits, what holds, what has ended."""
        return answer_list(GrantShape, consent.grants_by(actor=self.actor))

    @extend_schema(operation_id="grant_access", request=GiveShape, responses={202: ActShape(many=True)})
    def post(self, request: Request) -> Response:
        """Give access; it opens once the chain has confirmed it."""
        proposal = grants.propose_grant(actor=self.actor, **checked(GiveShape, request.data))
        acts = grants.grant_access(actor=self.actor, proposal=proposal)
        return answer_list(ActShape, acts, status=202)


class Revoke(ActorView):
    """Ending a grant that one gave."""

    @extend_schema(operation_id="revoke_access", request=EndShape, responses={202: ActShape})
    def post(self, request: Request) -> Response:
        """Obeyed at once."""
        act = revocations.revoke_access(actor=self.actor, **checked(EndShape, request.data))
        return answer(ActShape, act, status=202)


class GiveUp(ActorView):
    """Ending a grant that one holds."""

    @extend_schema(operation_id="give_up_access", request=GiveUpShape, responses={202: ActShape})
    def post(self, request: Request) -> Response:
        """Obeyed at once."""
        act = revocations.give_up_access(actor=self.actor, **checked(GiveUpShape, request.data))
        return answer(ActShape, act, status=202)


class Patients(ActorView):
    """Whose records the actor may open."""

    @extend_schema(
        operation_id="list_patients",
        parameters=[PatientsQuery, TOTAL],
        responses=PatientShape(many=True),
    )
    def get(self, request: Request) -> Response:
        """Each with its scopes, by institution: those for whom a key has come, a page at a time."""
        query = checked(PatientsQuery, request.query_params)
        start, opened = query["offset"], not query["unopened"]
        end = start + query["limit"]
        found = consent.patients_of(actor=self.actor, opened=opened, start=start, end=end)
        count = consent.count_patients(actor=self.actor, opened=opened)
        return answer_list(PatientShape, found, headers={"X-Total-Count": str(count)})


class History(ActorView):
    """Who looked at what, and every step of consent."""

    @extend_schema(
        operation_id="access_history",
        parameters=[HistoryQuery, LINK],
        responses=HistoryShape(many=True),
    )
    def get(self, request: Request) -> Response:
        """One's own, newest first, a page at a time. Every filter counts before the page is cut."""
        query = checked(HistoryQuery, request.query_params)
        chosen = log.HistoryFilter(
            topic=query.get("topic", ""),
            record=query.get("record", ""),
            agent=query.get("agent", ""),
            fold=query["fold"],
        )
        page = log.access_history(
            actor=self.actor,
            patient=self.actor.address,
            chosen=chosen,
            cursor=query.get("cursor", ""),
            size=query["limit"],
        )
        if not page.older:
            return answer_list(HistoryShape, page.lines)
        older = replace_query_param(request.build_absolute_uri(), "cursor", page.older)
        return answer_list(HistoryShape, page.lines, headers={"Link": f'<{older}>; rel="next"'})
