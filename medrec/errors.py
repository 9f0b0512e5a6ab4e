"""Answers where no view does: JSON to programs, pages to people, 503 while the database is away.

The URL resolver calls these (`handler400` and so on in medrec/urls.py). An error of a middleware gets here as
well as one of a view.
"""

import errno
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

from records.web.doors import refuse_request

logger = logging.getLogger(__name__)

API = "/api/"
_FULL = ("disk is full", "No space left", "could not extend file")


@dataclass(frozen=True)
class Outage:
    """Something that the portal stands on is away: what is answered."""

    status: int
    words: str


DATABASE_AWAY = Outage(503, "The database does not answer. Nothing was saved by this; try again in a moment.")
DISK_FULL = Outage(
    507,
    "There is no room left on the portal's disk. Nothing was saved by this. Those who run this portal have "
    "to make room; try again later.",
)


def outage_of(error: BaseException | None) -> Outage | None:
    """Return which outage stands behind an error. None for a fault of the portal's own."""
    for cause in _causes(error):
        full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or (isinstance(cause, OperationalError) and any(words in str(cause) for words in _FULL)):
            return DISK_FULL
        if isinstance(cause, OperationalError | InterfaceError):
            return DATABASE_AWAY
    return None


def answer_outage(request: HttpRequest, outage: Outage) -> HttpResponse:
    """Tell a program or a person what is away, and when to come again."""
    if is_api(request):
        answer: HttpResponse = JsonResponse({"error": outage.words}, status=outage.status)
    else:
        answer = HttpResponse(render_to_string("503.html", {"words": outage.words}), status=outage.status)
    answer._has_been_logged = True  # type: ignore[attr-defined]  # here, in one line
    return answer


def is_api(request: HttpRequest) -> bool:
    """Return whether a program asks."""
    return request.path_info.startswith(API)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django refuses by itself: a body or form that is too large, a host that is not ours."""
    if not is_api(request):
        return refuse_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return JsonResponse({"error": "The body is too large for this address."}, status=413)
    return JsonResponse({"error": "The request was not understood."}, status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what nobody may do."""
    if is_api(request):
        return JsonResponse({"error": "This is not allowed."}, status=403)
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that is none."""
    if is_api(request):
        return JsonResponse({"error": "There is no such address."}, status=404)
    try:
        return defaults.page_not_found(request, exception)
    except (OperationalError, InterfaceError) as error:  # the page shows who is signed in
        return answer_outage(request, outage_of(error) or DATABASE_AWAY)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what went wrong: 503 or 507 for an outage, 500 for a fault of ours."""
    error = sys.exc_info()[1]
    outage = outage_of(error)
    if outage is not None:
        logger.error("%s %s: %s (%s)", request.method, outage.status, outage.words, type(error).__name__)
        return answer_outage(request, outage)
    if is_api(request):
        words = "Something went wrong on our side. What you were told was saved is saved."
        return JsonResponse({"error": words}, status=500)
    return defaults.server_error(request)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
