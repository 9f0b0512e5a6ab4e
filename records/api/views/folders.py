# ruff: noqa: ARG002  (every handler takes the request)
"""Folders over the API."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from records.api.base import ActorView, answer_list, checked
from records.api.serializers.folders import FolderSerializer
from records.services import folders


class FolderList(ActorView):
    """Folders of the patient."""

    @extend_schema(operation_id="list_folders", responses=FolderSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the patient's folders, without the inbox, which has the number 0."""
        return answer_list(FolderSerializer, folders.list_folders(actor=self.actor))

    @extend_schema(operation_id="create_folder", request=FolderSerializer, responses={201: FolderSerializer})
    def post(self, request: Request) -> Response:
        """Create a folder."""
        name = checked(FolderSerializer, request.data)["name"]
        number = folders.create_folder(actor=self.actor, name=name)
        body: dict[str, Any] = {"number": number, "name": name, "record_count": 0}
        return Response(body, status=201)
