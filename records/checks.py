"""System checks: a setting of storage or anchoring with a bad value stops start-up, by its name."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from records.demo.closing import demo_is_allowed, open_to_anybody
from records.storage import IpfsStore, address_of

LOOKS_LIKE = "A Kubo node's API, for example http://127.0.0.1:5001 or /ip4/127.0.0.1/tcp/5001/http"


@register("records")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """IPFS_API_URL and IPFS_PIN_API_URLS are addresses, each once. The times are such."""
    del app_configs, kwargs
    found: list[CheckMessage] = []
    main, pins = settings.IPFS_API_URL, settings.IPFS_PIN_API_URLS
    if main and not _is_address(main):
        found.append(Error("IPFS_API_URL is not the address of a node.", hint=LOOKS_LIKE, id="records.E001"))
    for place, url in enumerate(pins, start=1):  # the address itself may hold a password
        if not _is_address(url):
            message = f"IPFS_PIN_API_URLS: number {place} is not the address of a node."
            found.append(Error(message, hint=LOOKS_LIKE, id="records.E002"))
    if not found:
        named = [address_of(url) for url in [main, *pins] if url]
        if len(set(named)) < len(named):
            message = "IPFS_PIN_API_URLS names a node twice, or that of IPFS_API_URL."
            found.append(Error(message, hint="A second copy is on another node.", id="records.E003"))
    if settings.STORE_GRACE_DAYS < 1:
        found.append(Error("STORE_GRACE_DAYS is not right: it should be 1 or more.", id="records.E004"))
    if settings.ANCHOR_MINUTES < 0:
        message = "ANCHOR_MINUTES is not right: it should be 1 or more, or 0 for never."
        found.append(Error(message, id="records.E005"))
    return found


@register("records", Tags.database)
def check_demo(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Refuse a portal that others reach, and on which the demo's published password signs in."""
    del app_configs, kwargs
    if not databases or demo_is_allowed():
        return []
    try:
        people = open_to_anybody()
    except DatabaseError:  # there are no tables yet
        return []
    if not people:
        return []
    emails = ", ".join(sorted(user.email for user in people))
    message = f"PUBLIC_URL is {settings.PUBLIC_URL}, and the demo's published password signs in: {emails}."
    return [Error(message, hint="`manage.py close_demo` deactivates them.", id="records.E006")]


def _is_address(url: str) -> bool:
    try:
        IpfsStore(url)
    except ValueError:
        return False
    return True
