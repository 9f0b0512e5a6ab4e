"""`manage.py check --deploy`: what the portal sees of a request that came by its public address.

A proxy that passes on a wrong host, scheme or address leads to redirects in a circle, refused forms, and
limits that count all visitors as one. The check asks the portal at PUBLIC_URL what it saw, and compares.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from allauth.core.internal.httpkit import get_client_ip
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.signing import Signer
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.http.request import validate_host
from django.utils.crypto import constant_time_compare

PATH = "/proxy-check"
TOKEN_HEADER = "X-Proxy-Check"  # noqa: S105
SECONDS = 10.0
_SPOOFED = "203.0.113.254"  # RFC 5737: nobody's address
_LIES = {"X-Forwarded-For": _SPOOFED, "X-Forwarded-Proto": "http", "X-Forwarded-Host": "spoofed.invalid"}


def show_request(request: HttpRequest) -> HttpResponse:
    """Return host, scheme and address as the portal sees them, to whoever knows SECRET_KEY. Else 404."""
    if not constant_time_compare(request.headers.get(TOKEN_HEADER, ""), _token()):
        return HttpResponseNotFound("Not found.", content_type="text/plain")
    return JsonResponse(
        {
            "host": request.META.get("HTTP_HOST", ""),
            "scheme": request.scheme,
            "address": get_client_ip(request),
        }
    )


@register("medrec", deploy=True)
def check_public_address(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Settings and proxy agree on the portal's public address."""
    del app_configs, kwargs
    return _check_settings() + check_proxy(settings.PUBLIC_URL)


def _check_settings() -> list[CheckMessage]:
    parts = urlsplit(settings.PUBLIC_URL)
    problems: list[CheckMessage] = []
    if not validate_host(parts.hostname or "", settings.ALLOWED_HOSTS):
        problems.append(
            Error(f"ALLOWED_HOSTS does not have {parts.hostname}, the host of PUBLIC_URL.", id="medrec.E002")
        )
    if settings.PUBLIC_URL not in settings.CSRF_TRUSTED_ORIGINS:
        message = f"CSRF_TRUSTED_ORIGINS does not have {settings.PUBLIC_URL}, so forms are refused."
        problems.append(Error(message, id="medrec.E003"))
    if settings.SECURE_SSL_REDIRECT and not settings.BEHIND_PROXY:
        problems.append(
            Error(
                "PUBLIC_URL has https, and BEHIND_PROXY is not set: every page redirects to itself.",
                hint="Set BEHIND_PROXY=1 behind the proxy that ends TLS.",
                id="medrec.E004",
            )
        )
    return problems


def check_proxy(url: str) -> list[CheckMessage]:
    """Ask the portal at `url` (scheme, host, port) what it sees of a request that lies about itself."""
    headers = _LIES | {TOKEN_HEADER: _token()}
    request = urllib.request.Request(url + PATH, headers=headers)  # noqa: S310  (http or https: accounts.E002)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            seen = json.loads(answer.read(10_000))
    except urllib.error.HTTPError as refusal:
        hint = "Another SECRET_KEY or another program answers there." if refusal.code == 404 else ""
        return [Error(f"{url} answers {refusal.code}.", hint=hint or None, id="medrec.E005")]
    except (OSError, ValueError) as problem:
        return [
            Warning(f"{url} does not answer: {problem}.", hint="Check again once it runs.", id="medrec.W001")
        ]
    return _compare(url, seen)


def _compare(url: str, seen: dict[str, Any]) -> list[CheckMessage]:
    parts = urlsplit(url)
    problems: list[CheckMessage] = []
    if seen["host"] != parts.netloc:
        problems.append(
            Error(
                f"The portal sees Host {seen['host']!r} instead of {parts.netloc!r}.",
                hint="nginx: proxy_set_header Host $http_host;",
                id="medrec.E006",
            )
        )
    if seen["scheme"] != parts.scheme:
        problems.append(
            Error(
                f"The portal sees {seen['scheme']} instead of {parts.scheme}.",
                hint="nginx: proxy_set_header X-Forwarded-Proto $scheme; and BEHIND_PROXY=1",
                id="medrec.E007",
            )
        )
    if seen["address"] == _SPOOFED:
        problems.append(
            Error(
                "The portal believes what a visitor says in X-Forwarded-For.",
                hint="nginx: proxy_set_header X-Forwarded-For $remote_addr;",
                id="medrec.E008",
            )
        )
    return problems


def _token() -> str:
    return Signer(salt="medrec.proxy-check").signature("check")
