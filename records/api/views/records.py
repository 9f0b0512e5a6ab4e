# ruff: noqa: ARG002  (every handler takes the request)
"""Records over the API: listed, searched, described, opened, moved, closed, exported."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actor import Actor
from records.api.base import TOTAL, ActorView, answer, answer_list, checked
from records.api.serializers.acts import ActSerializer
from records.api.serializers.records import (
    ExportQuery,
    RecordDescriptionSerializer,
    RecordMoveSerializer,
    RecordQuery,
    RecordSearchSerializer,
    RecordSerializer,
    VersionQuery,
)
from records.downloads import answer_content, answer_export
from records.services import documents, export, inbox, reading
from records.services.searching import Filter, choose_records

TOTALS = [
    TOTAL,
    OpenApiParameter(
        "X-Folded-Count",
        int,
        OpenApiParameter.HEADER,
        response=[200],
        description="Number of records in the inbox that are not listed, because their senders left too many."
        " The export has them. They are listed as those before them are filed or refused.",
    ),
]


def _listed(actor: Actor, query: dict[str, Any]) -> Response:
    """Return the records that match, from `offset` on, at most `limit`, and their number in a header."""
    patient = query.get("patient", actor.address)
    views = documents.list_records(actor=actor, patient=patient, via=query.get("via"))
    names = ("text", "kind", "since", "until", "author", "folder")
    views = choose_records(views, Filter(**{name: query[name] for name in names if name in query}))
    start = query["offset"]
    end = start + query["limit"] if "limit" in query else None
    folded = documents.count_folded(actor.address) if patient == actor.address else 0
    headers = {"X-Total-Count": str(len(views)), "X-Folded-Count": str(folded)}
    return answer_list(RecordSerializer, views[start:end], headers=headers)


def _header(name: str, text: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=text)


class RecordList(ActorView):
    """A patient's records, as the actor may see them."""

    @extend_schema(
        operation_id="list_records",
        parameters=[RecordQuery, *TOTALS],
        responses=RecordSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List the patient's own records, or those of a `patient` who granted access, through `via`.

        To search for words, POST them to `/records/search`. Addresses end up in logs, bodies do not.
        """
        return _listed(self.actor, checked(RecordQuery, request.query_params))


class SearchRecords(ActorView):
    """A search in a patient's records."""

    @extend_schema(
        operation_id="search_records",
        request=RecordSearchSerializer,
        parameters=TOTALS,
        responses=RecordSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """List the records that match words and conditions. It changes nothing."""
        return _listed(self.actor, checked(RecordSearchSerializer, request.data))


class RecordDetail(ActorView):
    """A record and its versions."""

    @extend_schema(operation_id="get_record", responses=RecordSerializer)
    def get(self, request: Request, record_id: str) -> Response:
        """Return a record with its versions, without the file."""
        return answer(RecordSerializer, documents.get_record(actor=self.actor, record=record_id))

    @extend_schema(
        operation_id="update_record", request=RecordDescriptionSerializer, responses=RecordSerializer
    )
    def patch(self, request: Request, record_id: str) -> Response:
        """Describe a record anew. All fields count: it becomes a new version of the same file."""
        values = checked(RecordDescriptionSerializer, request.data)
        view = documents.modify_description(actor=self.actor, record=record_id, **values)
        return answer(RecordSerializer, view)


class FileView(ActorView):
    """A view that answers with a file."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """A file is what it is, whatever types the client says it takes."""
        return super().perform_content_negotiation(request, force=True)


class RecordContent(FileView):
    """The file of a record."""

    @extend_schema(
        operation_id="get_record_content",
        parameters=[
            VersionQuery,
            _header("Range", "One range of bytes (RFC 9110)."),
            _header("If-Range", "ETag of an earlier part, so that both are of one file."),
            _header("If-None-Match", "ETags of files that the client has."),
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: None,
            416: None,
        },
    )
    def get(self, request: Request, record_id: str) -> HttpResponseBase:
        """Return the decrypted file, whole or in part. The patient's history shows that it was opened."""
        version = checked(VersionQuery, request.query_params).get("version")
        content = reading.find_content(actor=self.actor, record=record_id, version=version)
        return answer_content(request._request, content)


class ExportRecords(FileView):
    """All records of a patient as one file."""

    @extend_schema(
        operation_id="export_records",
        parameters=[ExportQuery],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return a ZIP of a patient's records. Its index (HTML and JSON) names what is missing."""
        query = checked(ExportQuery, request.query_params)
        planned = export.plan_export(
            actor=self.actor,
            patient=query.get("patient", self.actor.address),
            via=query.get("via"),
            all_versions=query["versions"] == "all",
        )
        return answer_export(request._request, planned)


class MoveRecord(ActorView):
    """The move of a record into a folder."""

    @extend_schema(operation_id="move_record", request=RecordMoveSerializer, responses=RecordSerializer)
    def post(self, request: Request, record_id: str) -> Response:
        """Move a record out of the inbox, or into another folder."""
        view = documents.move_record(
            actor=self.actor, record=record_id, **checked(RecordMoveSerializer, request.data)
        )
        return answer(RecordSerializer, view)


class CloseRecord(ActorView):
    """The close of a record."""

    @extend_schema(operation_id="close_record", request=None, responses={202: ActSerializer})
    def post(self, request: Request, record_id: str) -> Response:
        """Close a record: as entered in error by its patient, or withdrawn from the inbox by its author."""
        act = documents.close_record(actor=self.actor, record=record_id)
        return answer(ActSerializer, act, status=202)


class RefuseRecord(ActorView):
    """The refusal of a record in the inbox."""

    @extend_schema(operation_id="refuse_record", request=None, responses={202: ActSerializer})
    def post(self, request: Request, record_id: str) -> Response:
        """Refuse a record in the inbox. It takes no further versions."""
        act = inbox.refuse_record(actor=self.actor, record=record_id)
        return answer(ActSerializer, act, status=202)
