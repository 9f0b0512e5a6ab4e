"""System checks: a setting of uploads with a bad value stops start-up, by its name."""

import re
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from records.crypto.mdr1 import CHUNK_BYTES
from records.scanner import BadUrl, parse_url

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_PART_MAX = 64 * 1024**2


@register("records")
def check_uploads(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every setting of uploads is in its range."""
    del app_configs, kwargs
    part = settings.UPLOAD_PART_BYTES
    rules = [
        ("E101", "UPLOAD_MAX_BYTES", settings.UPLOAD_MAX_BYTES >= 1, "1 byte or more"),
        (
            "E102",
            "UPLOAD_PART_BYTES",
            CHUNK_BYTES <= part <= _PART_MAX and part % CHUNK_BYTES == 0,
            "a multiple of 65,536 bytes, at most 64 MiB",
        ),
        (
            "E103",
            "UPLOAD_UNFINISHED_MAX_BYTES",
            settings.UPLOAD_UNFINISHED_MAX_BYTES >= settings.UPLOAD_MAX_BYTES,
            "at least UPLOAD_MAX_BYTES",
        ),
        (
            "E104",
            "UPLOAD_TYPES",
            bool(settings.UPLOAD_TYPES) and all(map(_MEDIA_TYPE.fullmatch, settings.UPLOAD_TYPES)),
            "media types as application/pdf, comma separated",
        ),
        ("E105", "CLAMD_URL", _is_scanner(settings.CLAMD_URL), "tcp://host:3310 or unix:///path"),
        ("E106", "CLAMD_TIMEOUT", settings.CLAMD_TIMEOUT > 0, "more than 0 seconds"),
    ]
    return [
        Error(f"{name} is not right: it should be {wanted}.", id=f"records.{number}")
        for number, name, good, wanted in rules
        if not good
    ]


def _is_scanner(url: str) -> bool:
    try:
        return not url or bool(parse_url(url))
    except BadUrl:
        return False
