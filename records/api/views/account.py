# ruff: noqa: ARG002  (every handler takes the request)
"""The account of the token over the API, and its key tasks."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services.key_tasks import count_waiting
from records.api.base import ActorView, answer
from records.api.serializers.account import AccountSerializer, KeyTasksSerializer
from records.services.naming import person_named_to


class AccountDetail(ActorView):
    """The account for which the token acts."""

    @extend_schema(operation_id="get_account", responses=AccountSerializer)
    def get(self, request: Request) -> Response:
        """Return the account for which the token acts."""
        person = person_named_to(self.actor, self.actor.address)
        body = {
            "address": self.actor.address,
            "kind": self.actor.kind,
            "name": person.name,
            "institutions": person.institutions,
            "key_fingerprint": person.key_fingerprint,
            "can_sign": self.actor.can_sign,
        }
        return answer(AccountSerializer, body)


class KeyTaskCount(ActorView):
    """Tasks that wait for the account's key: a folder whose grant has ended gets a new secret, for one."""

    @extend_schema(operation_id="count_key_tasks", responses=KeyTasksSerializer)
    def get(self, request: Request) -> Response:
        """Return the number of tasks that wait for the account's key."""
        return answer(KeyTasksSerializer, {"waiting_count": count_waiting(self.actor)})

    @extend_schema(operation_id="run_key_tasks", request=None, responses=KeyTasksSerializer)
    def post(self, request: Request) -> Response:
        """Run the tasks that wait, at most every five seconds. Every call but a GET does so first."""
        return self.get(request)
