"""Headers that every answer carries; and the probes, which are answered before anything else is asked."""

from collections.abc import Callable
from itertools import chain

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

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",  # the reader of PDFs: the one page that lets itself be framed
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "manifest-src 'self'",
    ]
)

PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": live,
    "/readyz": ready,
    "/metrics": metrics,
}


class ProbesMiddleware:
    """Answers what watches the portal; everything else goes on.

    Before sessions, redirects and the check of the host: a probe comes by the machine's own address, in plain
    HTTP, without a cookie, and more often than people do.
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


def _has_zero(request: HttpRequest) -> bool:
    try:
        forms = (request.GET, request.POST)
    except UnreadablePostError as error:
        raise BadRequest("a body that ended too soon") from error
    named = (text for form in forms for name, texts in form.lists() for text in (name, *texts))
    kept = (text for cookie in request.COOKIES.items() for text in cookie)
    return any("\x00" in text for text in chain((request.path_info,), named, kept))


class SecurityHeadersMiddleware:
    """A strict content security policy; pages of a signed-in person are never kept by a shared cache."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the headers that the view did not set itself."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault("Permissions-Policy", "geolocation=(), microphone=(), payment=()")
        return response
