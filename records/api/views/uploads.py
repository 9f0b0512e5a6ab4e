# ruff: noqa: ARG002  (every handler takes the request)
"""Uploads over the API: described, then sent whole or in parts."""

import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from records.api.base import ActorView, answer, answer_list, body_of, checked, length_of
from records.api.serializers.records import RecordSerializer
from records.api.serializers.uploads import NewUploadSerializer, UploadDigestSerializer, UploadSerializer
from records.services import upload_parts, uploads

BYTES = {"application/octet-stream": OpenApiTypes.BINARY}


class UploadList(ActorView):
    """Uploads of the account."""

    @extend_schema(
        operation_id="create_upload", request=NewUploadSerializer, responses={201: UploadSerializer}
    )
    def post(self, request: Request) -> Response:
        """Describe a file to upload. PUT its bytes to `uploads/{upload_id}/content`, or in parts."""
        view = uploads.describe_upload(actor=self.actor, **checked(NewUploadSerializer, request.data))
        return answer(UploadSerializer, view, status=201)

    @extend_schema(operation_id="list_uploads", responses=UploadSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the unfinished uploads in parts, which can be continued."""
        return answer_list(UploadSerializer, uploads.list_unfinished(actor=self.actor))


class UploadDetail(ActorView):
    """An upload."""

    @extend_schema(operation_id="get_upload", responses=UploadSerializer)
    def get(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Return an upload and its state."""
        return answer(UploadSerializer, uploads.get_upload(actor=self.actor, upload_id=upload_id))

    @extend_schema(operation_id="delete_upload", request=None, responses={204: None})
    def delete(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Delete an unfinished upload with the parts that were sent."""
        uploads.discard_upload(actor=self.actor, upload_id=upload_id)
        return Response(status=204)


class SendUploadPart(ActorView):
    """A part of an upload, for big files over bad lines."""

    takes_file = True

    @extend_schema(operation_id="send_upload_part", request=BYTES, responses=UploadSerializer)
    def put(self, request: Request, upload_id: uuid.UUID, part: int) -> Response:
        """Send the next part (`next_part`) as the raw body. Repeated calls have one effect."""
        view = upload_parts.receive_part(
            actor=self.actor, upload_id=upload_id, part=part, stream=body_of(request)
        )
        return answer(UploadSerializer, view)


class FinishUpload(ActorView):
    """The end of an upload in parts."""

    @extend_schema(
        operation_id="finish_upload", request=UploadDigestSerializer, responses={201: RecordSerializer}
    )
    def post(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Finish an upload once all parts are sent, and return its record. Repeated calls return the same."""
        digest = checked(UploadDigestSerializer, request.data)["digest"]
        view = upload_parts.finish_upload(actor=self.actor, upload_id=upload_id, digest=digest)
        return answer(RecordSerializer, view, status=201)


class SendUploadContent(ActorView):
    """The bytes of an upload."""

    takes_file = True

    @extend_schema(operation_id="send_upload_content", request=BYTES, responses={201: RecordSerializer})
    def put(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Send the file as the raw body, and return its record. Repeated calls have one effect."""
        view = uploads.receive_upload(
            actor=self.actor, upload_id=upload_id, stream=body_of(request), length=length_of(request)
        )
        return answer(RecordSerializer, view, status=201)
