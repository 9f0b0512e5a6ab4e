"""Observations of many records, gathered by what was measured and in which unit."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from records.observations.flags import Flag
from records.observations.known import BLOOD_PRESSURE, BY_LOINC, MEASURES, PART_OF
from records.observations.limits import IMPOSSIBLE
from records.observations.model import Amount, Observation, Part
from records.observations.moments import Moment
from records.observations.units import unit_key

_ORDER = {measure.name: place for place, measure in enumerate(MEASURES)}
_UNDATED = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Source:
    """The record that an observation stands in."""

    record: str
    title: str
    author_name: str
    own: bool = True  # entered by the patient


@dataclass(frozen=True)
class Row:
    """One measurement of a series: a value, or those of its components, at one moment."""

    when: Moment | None
    parts: tuple[Part, ...]
    note: str
    source: Source
    status: str
    whole_flags: tuple[Flag, ...] = ()
    whole_remarks: tuple[str, ...] = ()
    ahead: bool = False  # dated in the future

    @property
    def figures(self) -> str:
        """5.40, or 120/80 for components."""
        between = "/" if all(part.amount.plotted for part in self.parts) else ", "
        return between.join(part.amount.figures for part in self.parts)

    @property
    def sides(self) -> str:
        """Above or below the reference range, in words."""
        return ", ".join(dict.fromkeys(part.side for part in self.parts if part.side))

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags of the source, each once."""
        flags = (*self.whole_flags, *(flag for part in self.parts for flag in part.flags))
        return tuple(dict.fromkeys(flags))

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return in words everything else that changes what the value means."""
        own = (remark for part in self.parts for remark in part.remarks)
        return tuple(dict.fromkeys((*self.whole_remarks, *own)))

    @property
    def doubt(self) -> str:
        """impossible or odd, where a part is; else ""."""
        doubts = {part.doubt for part in self.parts} - {""}
        return IMPOSSIBLE if IMPOSSIBLE in doubts else next(iter(doubts), "")

    @property
    def plotted(self) -> bool:
        """Return whether a chart shows any of it: a number that can be, with a date that can be."""
        return self.when is not None and not self.ahead and any(part.plotted for part in self.parts)


@dataclass(frozen=True)
class Series:
    """Rows of one measurement in one unit, newest first."""

    name: str
    unit: str
    rows: tuple[Row, ...]

    @property
    def latest(self) -> Row:
        """The newest that is not dated in the future."""
        return next((row for row in self.rows if not row.ahead), self.rows[0])

    @property
    def chart_label(self) -> str:
        """Return what the chart is called for those who do not see it."""
        name = f"{self.name}, {self.unit}" if self.unit else self.name
        return f"Trend of {name}: {len(self.rows)} values"

    @property
    def left_out(self) -> int:
        """Return how many rows no chart shows for their date or number cannot be."""
        return sum(row.ahead or row.doubt == IMPOSSIBLE for row in self.rows)


def gather_series(found: Iterable[tuple[Observation, Source]]) -> list[Series]:
    """All series, common measurements first. Different units are different series: nothing is converted."""
    observations = sorted(found, key=lambda pair: pair[0].when.at if pair[0].when else _UNDATED, reverse=True)
    units: dict[str, str] = {}
    for one, _ in observations:
        for part in one.parts:
            if part.amount.number is not None:
                units.setdefault(_group(one, part), _unit(part.amount))
    rows: dict[tuple[str, str], list[Row]] = {}
    names: dict[tuple[str, str], tuple[str, str]] = {}
    for one, source in observations:
        for key, parts in _by_key(one, units).items():
            rows.setdefault(key, []).append(row_of(one, tuple(parts), source))
            shown = next((part.amount.unit for part in parts if part.amount.unit), "")
            name, unit = names.get(key, ("", ""))
            names[key] = (name or _name(one, parts), unit or shown)
    series = [Series(*names[key], tuple(each)) for key, each in rows.items()]
    return sorted(series, key=lambda each: (_ORDER.get(each.name, len(_ORDER)), each.name.casefold()))


def row_of(one: Observation, parts: tuple[Part, ...], source: Source) -> Row:
    """Return parts of an observation with what the source says of all of it."""
    return Row(one.when, parts, one.note, source, one.status, one.flags, one.said, one.ahead)


def _by_key(one: Observation, units: dict[str, str]) -> dict[tuple[str, str], list[Part]]:
    """The parts by series: words go to the series that their measurement's numbers are in."""
    found: dict[tuple[str, str], list[Part]] = {}
    for part in one.parts:
        group = _group(one, part)
        unit = units.get(group, "") if part.amount.number is None else _unit(part.amount)
        found.setdefault((group, unit), []).append(part)
    return found


def _group(one: Observation, part: Part) -> str:
    if part.code in PART_OF:
        return BLOOD_PRESSURE
    code = one.code if part.code != one.code and len(one.parts) > 1 else part.code
    group = code or (one.name or part.name).casefold()
    return f"{group} {one.site.casefold()}" if _keeps_site(one) else group


def _keeps_site(one: Observation) -> bool:
    """Return whether the body site makes a series of its own: the right eye is not the left one.

    The common measurements are one series, wherever they are taken: the site stands with the value.
    """
    return bool(one.site) and one.code not in BY_LOINC and one.code not in PART_OF


def _unit(amount: Amount) -> str:
    return unit_key(amount.unit_code, amount.unit)


def _name(one: Observation, parts: list[Part]) -> str:
    if parts[0].code in PART_OF:
        return PART_OF[parts[0].code].name
    known = BY_LOINC.get(one.code)
    name = known.name if known else one.name
    return f"{name}, {one.site}" if _keeps_site(one) else name
