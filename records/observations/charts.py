"""The geometry of a trend chart: where points, lines and ticks go. A template draws it as SVG."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from records.observations.flags import Flag
from records.observations.known import PART_NAMES
from records.observations.model import Part
from records.observations.series import Row, Series

WIDTH, HEIGHT = 420, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 404, 14, 190
DIGIT, GAP = 8.5, 6  # the width of a digit on a phone; between figures and axis
POINTS_MAX = 400
TICKS_MAX = 5
FOCUS_MAX = 60  # more points than this are not stops of the tab key: the table has them all


@dataclass(frozen=True)
class Point:
    """A value, in units of the drawing."""

    x: float
    y: float
    words: str
    flags: str = ""
    remarks: str = ""
    tone: str = ""  # of the flags: failed, waiting or ""

    @property
    def anchor(self) -> str:
        """To which side of the point its words go, so that they stay within the drawing."""
        third = (RIGHT - LEFT) / 3
        return "start" if self.x < LEFT + third else "end" if self.x > RIGHT - third else "middle"

    @property
    def tip(self) -> float:
        """The height of its words: above the point, or below where there is no room."""
        return self.y - 10 if self.y > TOP + 12 else self.y + 18

    @property
    def flags_tip(self) -> float:
        """The height of its flags: over or under its words, where there is room."""
        return self.tip - 15 if self.tip > TOP + 15 and self.tip < self.y else max(self.tip, self.y) + 18

    @property
    def all_words(self) -> str:
        """Words, flags and remarks, to be read out."""
        return ", ".join(filter(None, (self.words, self.flags, self.remarks)))


@dataclass(frozen=True)
class Line:
    """Points of one part (systolic), oldest first."""

    name: str
    number: int
    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        """`points` of a polyline."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    words: str


@dataclass(frozen=True)
class Chart:
    """A chart of one series. `band` is the reference range as (top, height), `left` where the axis stands."""

    left: float
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    band: tuple[float, float] | None
    cut: bool  # older points are left out

    @property
    def width(self) -> float:
        """From the axis to the right end."""
        return RIGHT - self.left

    @property
    def figures_end(self) -> float:
        """Return where the figures on the axis end."""
        return self.left - GAP

    @property
    def focusable(self) -> bool:
        """Return whether every point is a stop of the tab key."""
        return sum(len(line.points) for line in self.lines) <= FOCUS_MAX


def draw_chart(series: Series) -> Chart | None:
    """The chart of what is one exact, dated number. None with fewer than two such moments."""
    rows = [row for row in series.rows if row.plotted]
    shown = rows[:POINTS_MAX][::-1]
    moments = [row.when.middle for row in shown if row.when]
    if len(set(moments)) < 2:
        return None
    parts: dict[str, str] = {}  # laboratories name one code in many ways: it is one line
    for part in (part for row in shown for part in row.parts if part.plotted):
        parts.setdefault(_line_of(part), PART_NAMES.get(part.code, part.name))
    values = [float(part.amount.number or 0) for row in shown for part in row.parts if part.plotted]
    low, high, step = _scale(min(values), max(values))
    start, end = min(moments), max(moments)
    places = max(0, -math.floor(math.log10(step)))
    steps = round((high - low) / step)
    figures = [f"{low + step * n:.{places}f}" for n in range(steps + 1)]
    left = max(LEFT, max(map(len, figures)) * DIGIT + GAP)

    def across(moment: datetime) -> float:
        return left + (RIGHT - left) * ((moment - start) / (end - start))

    def down(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    lines = [
        Line(name, number, tuple(_points(shown, key, series.unit, across, down)))
        for number, (key, name) in enumerate(parts.items(), start=1)
    ]
    y_ticks = [Tick(down(low + step * n), words) for n, words in enumerate(figures)]
    x_ticks = [Tick(across(moment), words) for moment, words in _dates(start, end)]
    band = _band(series, low, high, down) if len(lines) == 1 else None
    return Chart(left, tuple(lines), tuple(x_ticks), tuple(y_ticks), band, len(rows) > len(shown))


def _line_of(part: Part) -> str:
    return part.code or part.name.casefold()


def _points(
    shown: list[Row],
    key: str,
    unit: str,
    across: Callable[[datetime], float],
    down: Callable[[float], float],
) -> Iterator[Point]:
    for row in shown:
        for part in row.parts:
            if row.when and _line_of(part) == key and part.plotted:
                flags = (*row.whole_flags, *part.flags)
                words = f"{part.amount.figures} {unit}".strip()
                said = ", ".join(filter(None, (*map(str, flags), part.side)))
                x, y = across(row.when.middle), down(float(part.amount.number or 0))
                yield Point(x, y, f"{words}, {row.when}", said, ", ".join(row.remarks), _tone(flags))


def _tone(flags: tuple[Flag, ...]) -> str:
    tones = {flag.tone for flag in flags}
    return "failed" if "failed" in tones else "waiting" if "waiting" in tones else ""


def _scale(least: float, most: float) -> tuple[float, float, float]:
    """(lowest, highest, step) of an axis whose steps are 1, 2 or 5 times a power of ten."""
    spread = (most - least) or abs(most) or 1.0
    rough = spread / (TICKS_MAX - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    low, high = math.floor(least / step) * step, math.ceil(most / step) * step
    return (low - step, high + step, step) if low == high else (low, high, step)


def _band(
    series: Series, low: float, high: float, down: Callable[[float], float]
) -> tuple[float, float] | None:
    """The newest row's reference range, as far as the axis shows it."""
    found: Part = series.latest.parts[0]
    if found.range is None or not found.range.compared:
        return None
    if found.range.low is None and found.range.high is None:
        return None
    top = min(high, float(found.range.high)) if found.range.high is not None else high
    bottom = max(low, float(found.range.low)) if found.range.low is not None else low
    return (down(top), down(bottom) - down(top)) if top > bottom else None


def _dates(start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """At most five marks, at beginnings of days, months or years."""
    days = (end - start) / timedelta(days=1)
    if days < 62:
        every = max(1, math.ceil(days / TICKS_MAX))
        first = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        marks = [first + timedelta(days=every * n) for n in range(TICKS_MAX + 2)]
        return [(mark, f"{mark.day} {mark:%b}") for mark in marks if start <= mark <= end] or [
            (start, f"{start.day} {start:%b}")
        ]
    months = days / 30.44
    every = next(
        (n for n in (1, 2, 3, 6, 12, 24, 60, 120) if months / n <= TICKS_MAX), math.ceil(months / 60) * 12
    )
    found: list[tuple[datetime, str]] = []
    count = (start.year * 12 + start.month - 1) // every * every
    while True:
        mark = datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)
        if mark > end:
            return found
        if mark >= start:
            found.append((mark, f"{mark:%Y}" if every >= 12 else f"{mark:%b %Y}"))
        count += every
