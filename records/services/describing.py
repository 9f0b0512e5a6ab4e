"""What a person may write about a record."""

import re
from datetime import date, timedelta

from django.utils import timezone

from chain.support.pasted_text import can_be_seen, plain_name
from records.errors import InvalidInput
from records.kinds import KINDS

TITLE_MAX = 200
FILE_NAME_MAX = 255
MEDIA_TYPE_MAX = 127
MEDIA_TYPE = re.compile(r"[!-.0-:<-~]+/[!-.0-:<-~]+(;[ -~]*)?")  # printable ASCII, perhaps parameters
OLDEST = date(1880, 1, 1)


def service_dates() -> tuple[date, date]:
    """The first and the last day of service that is taken. A day of grace: it may be tomorrow elsewhere."""
    return OLDEST, timezone.localdate() + timedelta(days=1)


def check_description(*, title: str, kind: str, service_date: date | None) -> str:
    """The title, tidied. Raises InvalidInput for a title, kind or date that cannot be."""
    title = plain_name(title)
    if not can_be_seen(title):
        raise InvalidInput("title", "Give the record a title.")
    if len(title) > TITLE_MAX or "\x00" in title:
        raise InvalidInput("title", f"A title has at most {TITLE_MAX} characters.")
    if kind not in KINDS:
        raise InvalidInput("kind", "Choose one of the kinds in the list.")
    first, last = service_dates()
    if service_date is not None and service_date > last:
        raise InvalidInput("service_date", "The date of service is not in the future.")
    if service_date is not None and service_date < first:
        raise InvalidInput("service_date", f"The date of service is not before {first.year}.")
    return title


def check_file(*, file_name: str, media_type: str) -> tuple[str, str]:
    """File name (without folders) and media type. Raises InvalidInput."""
    name = file_name.replace("\\", "/").rpartition("/")[2].strip()
    if not can_be_seen(name) or len(name) > FILE_NAME_MAX or any(ord(letter) < 32 for letter in name):
        raise InvalidInput("file_name", f"A file name has 1 to {FILE_NAME_MAX} printable characters.")
    media_type = media_type.strip().lower() or "application/octet-stream"
    # It becomes a header of every download: a character that HTTP forbids would make the record unreadable.
    if len(media_type) > MEDIA_TYPE_MAX or not MEDIA_TYPE.fullmatch(media_type):
        raise InvalidInput("media_type", "A media type looks like application/pdf.")
    return name, media_type
