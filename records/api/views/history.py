"""The access history over the API."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from records.api.base import ActorView, answer_list, checked
from records.api.serializers.history import HistoryEntrySerializer, HistoryQuery
from records.services import log

LINK = OpenApiParameter(
    "Link",
    str,
    OpenApiParameter.HEADER,
    response=[200],
    description='Address of the next page, with its cursor: `<address>; rel="next"` (RFC 8288).',
)


class HistoryList(ActorView):
    """Views of records, and every step of consent."""

    @extend_schema(
        operation_id="list_history",
        parameters=[HistoryQuery, LINK],
        responses=HistoryEntrySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List the patient's access history, newest first. Filters apply before a page is cut."""
        query = checked(HistoryQuery, request.query_params)
        conditions = log.HistoryFilter(
            topic=query.get("topic", ""),
            record=query.get("record", ""),
            agent=query.get("agent", ""),
            fold=query["fold"],
        )
        page = log.access_history(
            actor=self.actor,
            patient=self.actor.address,
            chosen=conditions,
            cursor=query.get("cursor", ""),
            size=query["limit"],
        )
        if not page.older:
            return answer_list(HistoryEntrySerializer, page.lines)
        older = replace_query_param(request.build_absolute_uri(), "cursor", page.older)
        return answer_list(HistoryEntrySerializer, page.lines, headers={"Link": f'<{older}>; rel="next"'})
