# ruff: noqa: ARG002  (every handler takes the request)
"""Records over the API: list, look, open, send, mend, move, close."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actor import Actor
from records.api.base import ActorView, answer, answer_list, body_of, checked, length_of
from records.api.shapes import (
    ActShape,
    BlockShape,
    DescriptionShape,
    ExportQuery,
    FinishShape,
    FolderShape,
    ListQuery,
    MoveShape,
    RecordShape,
    SearchShape,
    SenderShape,
    UploadAnswer,
    UploadShape,
    VersionQuery,
)
from records.downloads import answer_content, answer_export
from records.services import documents, export, folders, inbox, reading, senders, upload_parts, uploads
from records.services.searching import Filter, choose_records

TOTAL = [
    OpenApiParameter(
        "X-Total-Count", int, OpenApiParameter.HEADER, response=[200], description="Before limit and offset."
    ),
    OpenApiParameter(
        "X-Folded-Count",
        int,
        OpenApiParameter.HEADER,
        response=[200],
        description="Records in one's inbox that are not listed, since their senders left too many. The"
        " export has them, and they are listed as those before them are filed or refused.",
    ),
]


def _listed(actor: Actor, query: dict[str, Any]) -> Response:
    """The records that fit, from `offset` on, at most `limit`; how many there are stands in a header."""
    patient = query.get("patient", actor.address)
    found = documents.list_records(actor=actor, patient=patient, via=query.get("via"))
    names = ("text", "kind", "since", "until", "author", "folder")
    found = choose_records(found, Filter(**{name: query[name] for name in names if name in query}))
    start = query["offset"]
    end = start + query["limit"] if "limit" in query else None
    folded = documents.count_folded(actor.address) if patient == actor.address else 0
    headers = {"X-Total-Count": str(len(found)), "X-Folded-Count": str(folded)}
    return answer_list(RecordShape, found[start:end], headers=headers)


class Records(ActorView):
    """A patient's records, as the actor may see them."""

    @extend_schema(
        operation_id="list_records",
        parameters=[ListQuery, *TOTAL],
        responses=RecordShape(many=True),
    )
    def get(self, request: Request) -> Response:
        """One's own, or with `patient` (and `via`) those of a patient who granted access.

        Words to search for go by POST to `/records/search`: an address stands in logs.
        """
        return _listed(self.actor, checked(ListQuery, request.query_params))


class Search(ActorView):
    """Looking through a patient's records."""

    @extend_schema(
        operation_id="search_records",
        request=SearchShape,
        parameters=TOTAL,
        responses=RecordShape(many=True),
    )
    def post(self, request: Request) -> Response:
        """The same list, narrowed by words, too; it changes nothing."""
        return _listed(self.actor, checked(SearchShape, request.data))


class OneRecord(ActorView):
    """A record and its versions."""

    @extend_schema(operation_id="get_record", responses=RecordShape)
    def get(self, request: Request, record: str) -> Response:
        """Everything but the content."""
        return answer(RecordShape, documents.get_record(actor=self.actor, record=record))

    @extend_schema(operation_id="mend_record", request=DescriptionShape, responses=RecordShape)
    def patch(self, request: Request, record: str) -> Response:
        """Another title, kind or date: a new version of the same content."""
        values = checked(DescriptionShape, request.data)
        view = documents.modify_description(actor=self.actor, record=record, **values)
        return answer(RecordShape, view)


class FileView(ActorView):
    """A file as the answer."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """A file is what it is, whatever types the client says it takes."""
        return super().perform_content_negotiation(request, force=True)


class Content(FileView):
    """The file itself."""

    @extend_schema(
        operation_id="get_content",
        parameters=[
            VersionQuery,
            OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="One range of bytes."),
            OpenApiParameter(
                "If-Range", str, OpenApiParameter.HEADER, description="ETag of the part before."
            ),
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="ETags one has."),
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: None,
            416: None,
        },
    )
    def get(self, request: Request, record: str) -> HttpResponseBase:
        """Decrypted as it goes out, whole or in part. The patient sees that it was opened."""
        version = checked(VersionQuery, request.query_params).get("version")
        found = reading.find_content(actor=self.actor, record=record, version=version)
        return answer_content(request._request, found)


class ExportRecords(FileView):
    """All records of a patient in one file."""

    @extend_schema(
        operation_id="export_records",
        parameters=[ExportQuery],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """A ZIP with an index (HTML and JSON); what could not be had stands in the index."""
        query = checked(ExportQuery, request.query_params)
        planned = export.plan_export(
            actor=self.actor,
            patient=query.get("patient", self.actor.address),
            via=query.get("via"),
            all_versions=query["versions"] == "all",
        )
        return answer_export(request._request, planned)


class Move(ActorView):
    """Filing and moving."""

    @extend_schema(operation_id="move_record", request=MoveShape, responses=RecordShape)
    def post(self, request: Request, record: str) -> Response:
        """Out of the inbox, or into another folder."""
        view = documents.move_record(actor=self.actor, record=record, **checked(MoveShape, request.data))
        return answer(RecordShape, view)


class Close(ActorView):
    """Closing."""

    @extend_schema(operation_id="close_record", request=None, responses=ActShape)
    def post(self, request: Request, record: str) -> Response:
        """Entered in error (its patient), withdrawn from the inbox (its author)."""
        act = documents.close_record(actor=self.actor, record=record)
        return answer(ActShape, act, status=202)


class Refuse(ActorView):
    """Refusing what lies in the inbox."""

    @extend_schema(operation_id="refuse_record", request=None, responses=ActShape)
    def post(self, request: Request, record: str) -> Response:
        """It takes no further versions."""
        act = inbox.refuse_record(actor=self.actor, record=record)
        return answer(ActShape, act, status=202)


class Senders(ActorView):
    """From whom a patient takes nothing into the inbox."""

    @extend_schema(operation_id="list_blocked_senders", responses=SenderShape(many=True))
    def get(self, request: Request) -> Response:
        """One's own."""
        return answer_list(SenderShape, senders.list_senders(actor=self.actor))


class BlockSender(ActorView):
    """Taking nothing more from a doctor or an institution."""

    @extend_schema(operation_id="block_sender", request=BlockShape, responses={202: SenderShape(many=True)})
    def post(self, request: Request) -> Response:
        """Obeyed at once. Said again, it has one effect."""
        inbox.block_sender(actor=self.actor, **checked(BlockShape, request.data))
        return answer_list(SenderShape, senders.list_senders(actor=self.actor), status=202)


class UnblockSender(ActorView):
    """Taking records from a doctor or an institution again."""

    @extend_schema(operation_id="unblock_sender", request=BlockShape, responses={202: SenderShape(many=True)})
    def post(self, request: Request) -> Response:
        """Once the chain has confirmed it."""
        inbox.block_sender(actor=self.actor, **checked(BlockShape, request.data), blocked=False)
        return answer_list(SenderShape, senders.list_senders(actor=self.actor), status=202)


class Uploads(ActorView):
    """Describing an upload."""

    @extend_schema(operation_id="describe_upload", request=UploadShape, responses={201: UploadAnswer})
    def post(self, request: Request) -> Response:
        """Then PUT the bytes to `uploads/<id>/content`. With `replaces`: a new version of that record."""
        view = uploads.describe_upload(actor=self.actor, **checked(UploadShape, request.data))
        return answer(UploadAnswer, view, status=201)

    @extend_schema(operation_id="list_unfinished_uploads", responses=UploadAnswer(many=True))
    def get(self, request: Request) -> Response:
        """Those begun in parts that can be gone on with."""
        return answer_list(UploadAnswer, uploads.list_unfinished(actor=self.actor))


class OneUpload(ActorView):
    """The state of an upload."""

    @extend_schema(operation_id="get_upload", responses=UploadAnswer)
    def get(self, request: Request, upload: str) -> Response:
        """described, receiving or done."""
        return answer(UploadAnswer, uploads.get_upload(actor=self.actor, upload_id=upload))

    @extend_schema(operation_id="discard_upload", request=None, responses={204: None})
    def delete(self, request: Request, upload: str) -> Response:
        """Forget it, and its parts."""
        uploads.discard_upload(actor=self.actor, upload_id=upload)
        return Response(status=204)


class UploadPart(ActorView):
    """A part of an upload, for big files over bad lines."""

    takes_file = True

    @extend_schema(
        operation_id="send_part",
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=UploadAnswer,
    )
    def put(self, request: Request, upload: str, part: int) -> Response:
        """The part that comes next (`next_part`, from 0), as the raw body. Sent again, it has one effect."""
        view = upload_parts.receive_part(
            actor=self.actor, upload_id=upload, part=part, stream=body_of(request)
        )
        return answer(UploadAnswer, view)


class FinishUpload(ActorView):
    """The end of an upload in parts."""

    @extend_schema(operation_id="finish_upload", request=FinishShape, responses={201: RecordShape})
    def post(self, request: Request, upload: str) -> Response:
        """All parts are sent: the record. Asked again, the same answer."""
        digest = checked(FinishShape, request.data)["digest"]
        view = upload_parts.finish_upload(actor=self.actor, upload_id=upload, digest=digest)
        return answer(RecordShape, view, status=201)


class UploadContent(ActorView):
    """The bytes of an upload."""

    takes_file = True

    @extend_schema(
        operation_id="send_content",
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={201: RecordShape},
    )
    def put(self, request: Request, upload: str) -> Response:
        """The file as the raw body. Sent again, it has one effect."""
        view = uploads.receive_upload(
            actor=self.actor, upload_id=upload, stream=body_of(request), length=length_of(request)
        )
        return answer(RecordShape, view, status=201)


class Folders(ActorView):
    """One's own folders."""

    @extend_schema(operation_id="list_folders", responses=FolderShape(many=True))
    def get(self, request: Request) -> Response:
        """All but the inbox, which is number 0."""
        return answer_list(FolderShape, folders.list_folders(actor=self.actor))

    @extend_schema(operation_id="create_folder", request=FolderShape, responses={201: FolderShape})
    def post(self, request: Request) -> Response:
        """A new folder."""
        name = checked(FolderShape, request.data)["name"]
        number = folders.create_folder(actor=self.actor, name=name)
        body: dict[str, Any] = {"number": number, "name": name, "record_count": 0}
        return Response(body, status=201)
