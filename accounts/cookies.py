"""Cookies' names: with https they begin with `__Host-`, which no other host of the domain can set."""

from django.conf import settings


def host_cookie(name: str) -> str:
    """The name under which a browser holds the cookie (RFC 6265bis, section 4.1.3.2)."""
    return f"__Host-{name}" if settings.SESSION_COOKIE_SECURE else name
