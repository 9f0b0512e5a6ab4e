# ruff: noqa: ARG002  (every handler takes the request)
"""Key tasks over the API."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services.errands import waiting_for
from records.api.base import ActorView, answer


class KeyTasksShape(serializers.Serializer[dict[str, int]]):
    """How many tasks wait for the account's key."""

    waiting = serializers.IntegerField()


class KeyTasks(ActorView):
    """What waits for the account's key: a folder whose grant has ended gets a new secret, for one."""

    @extend_schema(operation_id="key_tasks", responses=KeyTasksShape)
    def get(self, request: Request) -> Response:
        """How many tasks wait."""
        return answer(KeyTasksShape, {"waiting": waiting_for(self.actor.address)})

    @extend_schema(operation_id="run_key_tasks", request=None, responses=KeyTasksShape)
    def post(self, request: Request) -> Response:
        """Run them, at most every five seconds; every other call that is no GET runs them first, too."""
        return self.get(request)
