"""Observations of many records, gathered by what was measured and in which unit."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from records.observations.known import BLOOD_PRESSURE, BY_LOINC, MEASURES, PART_OF, SAME_UNIT
from records.observations.model import Amount, Observation, Part
from records.observations.moments import Moment

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

    @property
    def figures(self) -> str:
        """5.40, or 120/80 for components."""
        between = "/" if all(part.amount.plotted for part in self.parts) else ", "
        return between.join(part.amount.figures for part in self.parts)

    @property
    def sides(self) -> str:
        """Above or below the reference range, in words."""
        return ", ".join(dict.fromkeys(part.side for part in self.parts if part.side))


@dataclass(frozen=True)
class Series:
    """Rows of one measurement in one unit, newest first."""

    name: str
    unit: str
    rows: tuple[Row, ...]

    @property
    def latest(self) -> Row:
        """The newest."""
        return self.rows[0]


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
            rows.setdefault(key, []).append(Row(one.when, tuple(parts), one.note, source, one.status))
            shown = next((part.amount.unit for part in parts if part.amount.unit), "")
            name, unit = names.get(key, ("", ""))
            names[key] = (name or _name(one, parts), unit or shown)
    series = [Series(*names[key], tuple(each)) for key, each in rows.items()]
    return sorted(series, key=lambda each: (_ORDER.get(each.name, len(_ORDER)), each.name.casefold()))


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
    return code or (one.name or part.name).casefold()


def _unit(amount: Amount) -> str:
    return SAME_UNIT.get(amount.unit_code, amount.unit_code) or amount.unit


def _name(one: Observation, parts: list[Part]) -> str:
    if parts[0].code in PART_OF:
        return PART_OF[parts[0].code].name
    known = BY_LOINC.get(one.code)
    return known.name if known else one.name
