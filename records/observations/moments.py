"""Dates as FHIR has them: a year, a month, a day or an instant (FHIR R4, dateTime), never made more exact."""

import calendar
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from chain.support.pasted_text import visible

_PATTERN = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_SHOWN = [
    (f"{day}{month} %Y{time}", ("%Y-%m-%d" if day else "%Y-%m") + (" %H:%M" if time else ""))
    for month in ("%b", "%B")
    for day, time in (("%d ", ", %H:%M"), ("%d ", ""), ("", ""))
]
OLDEST, NEWEST = 1880, 2199
AHEAD = timedelta(days=1)  # how far clocks and zones may be apart


class BadMoment(ValueError):
    """Not a date that can be. `str()` says what one looks like."""


@dataclass(frozen=True)
class Moment:
    """`text` is FHIR's own. `at` is where it begins.

    `zoned` is False for a time of day without a time zone: it is shown as it was written, and takes its place
    among others as if it were UTC.
    """

    text: str
    at: datetime
    unit: str  # year | month | day | time
    zoned: bool = True

    def __str__(self) -> str:
        day = f"{self.at.day} {self.at:%b %Y}"
        shown = {"year": f"{self.at:%Y}", "month": f"{self.at:%b %Y}", "day": day}
        return shown.get(self.unit, f"{day}, {self.at:%H:%M}")

    @property
    def middle(self) -> datetime:
        """The middle of the year, month or day: where a chart puts a point that is no more exact."""
        lasts = {"year": 365, "month": calendar.monthrange(self.at.year, self.at.month)[1], "day": 1}
        return self.at + timedelta(days=lasts.get(self.unit, 0)) / 2

    @property
    def day(self) -> date:
        """The day on which it begins."""
        return self.at.date()

    def is_ahead(self, now: datetime) -> bool:
        """Return whether it lies more than a day after now: nothing was measured then."""
        return self.at > now + AHEAD


def typed_moment(text: str) -> str:
    """Return FHIR's way to write a date that pages show as 9 Mar 2026, 08:30. Else the text itself."""
    text = visible(text)
    for shape, way in _SHOWN:
        with suppress(ValueError):
            return datetime.strptime(text, shape).strftime(way)
    return text


def parse_moment(text: str, zone: tzinfo | None = UTC) -> Moment:
    """Return a FHIR dateTime, or one with a space and without a time zone. Raises BadMoment.

    Such a time is in `zone`. With None it stays without one.
    """
    found = _PATTERN.fullmatch(text.strip())
    if found is None or not text.isascii():
        raise BadMoment("A date looks like 2024, 2024-05, 2024-05-31 or 2024-05-31 08:30.")
    year, month, day, hour, minute, second, offset = found.groups()
    if not OLDEST <= int(year) <= NEWEST:
        raise BadMoment(f"A year is between {OLDEST} and {NEWEST}.")
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if hour is None:
            unit = "day" if day else "month" if month else "year"
            return Moment(found.group(), start, unit)
        given = datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{offset or ''}")
    except ValueError as error:
        raise BadMoment("There is no such date.") from error
    if given.tzinfo is None and zone is None:
        return Moment(found.group().replace(" ", "T"), given.replace(tzinfo=UTC), "time", zoned=False)
    at = given if given.tzinfo else given.replace(tzinfo=zone)
    exact = found.group().replace(" ", "T")
    return Moment(exact if offset and second else at.isoformat(), at, "time")
