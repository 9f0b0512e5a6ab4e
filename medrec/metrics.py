"""`/metrics` for Prometheus: off unless METRICS_TOKEN is set, and then only with that token.

Requests are counted by each process in files of its own below `var/metrics`, which the library adds up: a
scrape may reach any of the web server's processes. The rest is read from the tables (medrec.gauges).
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from medrec.gauges import PortalCollector
from records.room import disk_reserve

TOKEN_CHARACTERS = 24  # at least
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_in_process = CollectorRegistry()  # the library wants one; what is shown comes from the files
REQUESTS = Counter(
    "medrec_http_requests", "Requests answered.", ("view", "method", "status"), registry=_in_process
)
SECONDS = Histogram(
    "medrec_http_request_seconds",
    "Time to the first byte of an answer.",
    ("view", "method"),
    buckets=_BUCKETS,
    registry=_in_process,
)


@register("medrec")
def check_token(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A token that is set cannot be guessed."""
    del app_configs, kwargs
    if 0 < len(settings.METRICS_TOKEN) < TOKEN_CHARACTERS:
        wanted = f"at least {TOKEN_CHARACTERS} characters, or none to turn metrics off"
        return [Error(f"METRICS_TOKEN is too short: {wanted}.", id="medrec.E001")]
    return []


def metrics(request: HttpRequest) -> HttpResponse:
    """Every metric as text. 404 while it is off, 401 without the token."""
    if not settings.METRICS_TOKEN:
        return HttpResponseNotFound("Not found.", content_type="text/plain")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(given.strip(), settings.METRICS_TOKEN):
        return HttpResponse(
            "A token is asked for.",
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
            content_type="text/plain",
        )
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(PortalCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class RequestMetricsMiddleware:
    """Counts and times what the middleware and views below it answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.METRICS_TOKEN:
            raise MiddlewareNotUsed
        Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Let it be answered, and note by which view, how, and how fast."""
        begun = time.perf_counter()
        response = self.get_response(request)
        if disk_reserve().is_full():
            return response  # the counts are in mapped memory: to touch a page without room is death
        method = request.method if request.method in _METHODS else "other"
        view = _view_name(request)
        SECONDS.labels(view, method).observe(time.perf_counter() - begun)
        REQUESTS.labels(view, method, str(response.status_code)).inc()
        return response


def _view_name(request: HttpRequest) -> str:
    """The name in the URL configuration: a path could hold an address."""
    if request.resolver_match is not None:
        return request.resolver_match.view_name or "unnamed"
    return "static" if request.path_info.startswith(settings.STATIC_URL) else "unmatched"
