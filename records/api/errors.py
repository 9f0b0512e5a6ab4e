"""One shape for every refusal: {"error": words, "field", "fields" or "starts_over"} and its status."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_handler

from accounts.errors import AccountsError, LimitReached, ReadOnlyToken, VaultClosed
from chain.errors import ActConflict, ActError, ChainError, ChainNotRead
from records.errors import InvalidInput, NotArrived, RecordsError, StartOver, status_of


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer what a service raised; anything unknown stays a 500."""
    if isinstance(error, RecordsError):
        body: dict[str, Any] = {"error": str(error)}
        if isinstance(error, InvalidInput):
            body["field"] = error.field
        if isinstance(error, StartOver):
            body["starts_over"] = True
        wait = {"Retry-After": str(error.retry_after)} if isinstance(error, NotArrived) else {}
        return Response(body, status=error.status, headers=wait)
    if isinstance(error, LimitReached):
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return Response({"error": str(error)}, status=error.status, headers=headers)
    if isinstance(error, AccountsError):
        closed = isinstance(error, (ReadOnlyToken, VaultClosed))
        return Response({"error": str(error)}, status=403 if closed else 400)
    if isinstance(error, ChainNotRead):
        return Response({"error": str(error)}, status=503, headers={"Retry-After": str(error.retry_after)})
    if isinstance(error, ChainError):
        return Response({"error": _chain_words(error)}, status=status_of(error))
    answer = rest_handler(error, context)
    if answer is not None:
        answer.data = _rest_body(error, answer.data)
    return answer


def _chain_words(error: ChainError) -> str:
    if isinstance(error, (ActConflict, ActError)):
        return str(error)
    return "The chain cannot be reached. Nothing was saved; try again."


def _rest_body(error: Exception, data: Any) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        return {"error": "Some fields are not right.", "fields": data}
    return {"error": str(data.get("detail", "")) if isinstance(data, dict) else str(data)}
