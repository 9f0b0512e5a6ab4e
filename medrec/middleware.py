"""Headers of every answer, but the policy that django-csp adds, and the probes, which come before all."""

from collections.abc import Callable
from itertools import chain

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
    UnreadablePostError,
)

from medrec.health import live, ready
from medrec.metrics import metrics
from medrec.proxy_check import PATH, show_request
from records.room import disk_reserve

PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": live,
    "/readyz": ready,
    "/metrics": metrics,
    PATH: show_request,
}


class ProbesMiddleware:
    """Answers what watches the portal. Everything else goes on.

    Before sessions and the check of the host, and never redirected (SECURE_REDIRECT_EXEMPT): a probe comes by
    the machine's own address, in plain HTTP, without a cookie, and more often than people do.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The probe's answer, never kept by a cache."""
        probe = PROBES.get(request.path_info)
        if probe is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = probe(request)
        response.headers["Cache-Control"] = "no-store"
        return response


class PlainTextMiddleware:
    """Refuses a zero character in address, query, form and cookies.

    PostgreSQL keeps none, and what is looked up there by a name that holds one raises far from the form. Text
    in JSON is the parser's affair (records/api/parsing.py).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on, or answer 400. Raises BadRequest."""
        if not _has_zero(request):
            return self.get_response(request)
        if request.path_info.startswith("/api/"):
            return JsonResponse({"error": "The address or query holds a zero character."}, status=400)
        raise BadRequest("a zero character")


class IncompleteBodyMiddleware:
    """Answers a request whose body did not come to its end: the client went away, or was too slow."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 408 where a view could not read the body. It has taken nothing."""
        if not isinstance(exception, UnreadablePostError):
            return None
        words = "The request did not come to its end in time. Nothing of it was taken. Please send it again."
        if request.path_info.startswith("/api/") or request.method == "PUT":
            return JsonResponse({"error": words}, status=408)
        return HttpResponse(words, status=408, content_type="text/plain; charset=utf-8")


def _has_zero(request: HttpRequest) -> bool:
    try:
        forms = (request.GET, request.POST)
    except UnreadablePostError as error:
        raise BadRequest("a body that ended too soon") from error
    named = (text for form in forms for name, texts in form.lists() for text in (name, *texts))
    kept = (text for cookie in request.COOKIES.items() for text in cookie)
    return any("\x00" in text for text in chain((request.path_info,), named, kept))


HEADERS = {
    "Cache-Control": "private, no-store",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=()",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
AWAY = (503, 507)
AGAIN_AFTER = "5"
"""Seconds, where something that the portal stands on is away or full."""
CLEAR_AT_SIGN_OUT = '"cache", "storage"'
"""Not the cookies: the session's and the vault's go by themselves, and a known browser stays known."""


class DiskReserveMiddleware:
    """Lets the disk's reserve go once the disk is full, so that rows can still be written."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Look before each request: it costs microseconds."""
        disk_reserve().tend()
        return self.get_response(request)


class RefusePlainApiMiddleware:
    """Tells a program to call the API by https. A redirect would hide that its token went in clear."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse, where people's pages are redirected."""
        plain = settings.SECURE_SSL_REDIRECT and not request.is_secure()
        if plain and request.path_info.startswith("/api/"):
            words = "Use https. A token that was sent without it should be ended."
            return JsonResponse({"error": words}, status=403)
        return self.get_response(request)


class SecurityHeadersMiddleware:
    """Headers of every answer: pages, files, probes and errors. A shared cache keeps nothing of a person's.

    Before all others but the one that takes the vault cookie, which answers nothing by itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the headers that the view did not set itself."""
        response = self.get_response(request)
        if request.path_info.startswith(settings.STATIC_URL):
            # They are public, and the reader of PDFs fetches them from an origin of its own.
            response.headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin")
        else:
            response.headers["X-Accel-Buffering"] = "no"  # nginx would keep a record in a file of its own
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if response.status_code in AWAY:
            response.headers.setdefault("Retry-After", AGAIN_AFTER)
        if not getattr(response, "xframe_options_exempt", False):
            response.headers.setdefault("X-Frame-Options", "DENY")
        if getattr(request, "signed_out", False):
            response.headers["Clear-Site-Data"] = CLEAR_AT_SIGN_OUT
        return response
