"""FHIR JSON (R4) to observations: a Bundle, or one Observation by itself.

Checked by the R4B models of `fhir.resources` (Observation is the same in R4), which take 0.4 s to import:
so only when the first one is read. Numbers are kept as they stand in the text.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from records.observations.decimals import COMPARATORS, BadNumber, checked_decimal
from records.observations.known import BY_LOINC, PART_NAMES
from records.observations.model import LOINC, UCUM, Amount, Observation, Part, Range
from records.observations.moments import BadMoment, Moment, parse_moment

READ_MAX = 4 * 1024 * 1024  # bytes
ENTRIES_MAX = 5000
PARTS_MAX = 50
TEXT_MAX = 300
NOTE_MAX = 2000
MEDIA_TYPES = ("application/fhir+json", "application/json")
STATUSES = ("registered", "preliminary", "final", "amended", "corrected", "cancelled", "unknown")
NO_FINDING = ("entered-in-error", "cancelled")


class BadBundle(ValueError):
    """Not a bundle of observations that can be taken; `str()` names the entry and the field."""


@dataclass(frozen=True)
class Reading:
    """What a file holds: observations, how many other resources, and what is wrong with entries left out."""

    observations: list[Observation] = field(default_factory=list)
    not_shown: int = 0
    problems: list[str] = field(default_factory=list)


def may_be_read(media_type: str, size: int) -> bool:
    """Whether a file of this type and size (bytes) may hold observations."""
    return media_type.partition(";")[0].strip() in MEDIA_TYPES and size <= READ_MAX


def read_observations(data: bytes, *, strict: bool = False) -> Reading:
    """The observations of a FHIR JSON file.

    Raises BadBundle where it is none; when `strict`, for a wrong entry, too.
    """
    found = _resources(_load(data))
    seen: set[str] = set()
    reading = Reading()
    not_shown = 0
    for where, url, resource in found:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if kind != "Observation" or resource.get("status") in NO_FINDING:
            not_shown += 1
            continue
        try:
            if url and url in seen:
                raise BadBundle("fullUrl: this address stands in the bundle twice.")
            seen.add(url)
            reading.observations.append(_observation(resource))
        except BadBundle as error:
            words = f"{where}{error}"
            if strict:
                raise BadBundle(words) from error
            reading.problems.append(words)
    return Reading(reading.observations, not_shown, reading.problems)


def _load(data: bytes) -> Any:
    if len(data) > READ_MAX:
        raise BadBundle(f"The file is too large: at most {READ_MAX // 1024**2} MiB are read.")
    try:
        return json.loads(
            data.decode("utf-8-sig"), parse_float=Decimal, parse_int=_integer, parse_constant=_refuse
        )
    except RecursionError as error:
        raise BadBundle("The file is nested too deeply.") from error
    except BadBundle:
        raise
    except (ValueError, ArithmeticError) as error:
        raise BadBundle("The file is not JSON.") from error


def _refuse(name: str) -> NoReturn:
    raise BadBundle(f"{name} is not a number.")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) < 20 and text != "-0" else Decimal(text)


def _resources(value: Any) -> list[tuple[str, str, Any]]:
    """(where it stands, for people; full URL; resource)."""
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if kind == "Observation":
        return [("", "", value)]
    if kind != "Bundle":
        raise BadBundle("The file holds neither a FHIR Bundle nor an Observation (resourceType).")
    entries = value.get("entry", [])
    if not isinstance(entries, list):
        raise BadBundle("entry: a bundle's entries are a list.")
    if len(entries) > ENTRIES_MAX:
        raise BadBundle(f"The bundle has {len(entries):,} entries; at most {ENTRIES_MAX:,} are read.")
    found = []
    for number, entry in enumerate(entries, start=1):
        fields = entry if isinstance(entry, dict) else {}
        url = fields.get("fullUrl")
        found.append((f"Entry {number}, ", url if isinstance(url, str) else "", fields.get("resource")))
    return found


def _observation(resource: dict[str, Any]) -> Observation:
    _check(resource)
    if resource["status"] not in STATUSES:
        raise BadBundle("status: this is none that FHIR knows.")
    code, name = _concept(resource["code"], "code")
    when = _when(resource)
    components = resource.get("component", [])
    if len(components) > PARTS_MAX:
        raise BadBundle(f"component: at most {PARTS_MAX} are read.")
    parts = []
    if (amount := _amount(resource, "")) is not None:
        parts.append(Part(code, name, amount, _range(resource, "")))
    for number, component in enumerate(components):
        where = f"component[{number}]."
        part_code, part_name = _concept(component["code"], f"{where}code")
        part = _amount(component, where) or _absent(component)
        parts.append(Part(part_code, part_name, part, _range(component, where)))
    if not parts:
        parts.append(Part(code, name, _absent(resource)))
    notes = [tidy(note.get("text", ""), NOTE_MAX) for note in resource.get("note", [])]
    return Observation(code, name, when, tuple(parts), "\n".join(filter(None, notes)), resource["status"])


def _check(resource: dict[str, Any]) -> None:
    from fhir.resources.R4B.observation import Observation as Model
    from pydantic import ValidationError

    try:
        Model.model_validate(resource)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).lstrip(
            "."
        )
        words = first["msg"].removeprefix("Value error, ")
        raise BadBundle(tidy(f"{place or 'Observation'}: {words}", TEXT_MAX)) from error
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise BadBundle("Observation: it cannot be read.") from error


def _concept(concept: dict[str, Any], where: str) -> tuple[str, str]:
    """(code, name): LOINC if it is among the codings."""
    codings = [one for one in concept.get("coding", []) if one.get("code")]
    codings.sort(key=lambda one: one.get("system") != LOINC)  # stable: the first LOINC, else the first
    first = codings[0] if codings else {}
    code = str(first.get("code", ""))
    if first and first.get("system") != LOINC:
        code = f"{first.get('system', '')}|{code}"
    known = BY_LOINC.get(code)
    known_name = known.name if known else PART_NAMES.get(code)
    name = concept.get("text") or first.get("display") or known_name or first.get("code")
    name = tidy(str(name or ""), TEXT_MAX)
    if not name:
        raise BadBundle(f"{where}: it says neither text nor code.")
    return tidy(code, TEXT_MAX), name


def _when(resource: dict[str, Any]) -> Moment | None:
    period = resource.get("effectivePeriod") or {}
    fields = [
        ("effectiveDateTime", resource.get("effectiveDateTime")),
        ("effectiveInstant", resource.get("effectiveInstant")),
        ("effectivePeriod.start", period.get("start")),
        ("effectivePeriod.end", period.get("end")),
    ]
    for name, text in fields:
        if text:
            try:
                return parse_moment(str(text))
            except BadMoment as error:
                raise BadBundle(f"{name}: {error}") from error
    return None


def _amount(fields: dict[str, Any], where: str) -> Amount | None:
    if "valueQuantity" in fields:
        return _quantity(fields["valueQuantity"], f"{where}valueQuantity")
    if "valueInteger" in fields:
        return Amount(_number(fields["valueInteger"], f"{where}valueInteger"))
    if "valueBoolean" in fields:
        return Amount(words="yes" if fields["valueBoolean"] else "no")
    if "valueCodeableConcept" in fields:
        return Amount(words=_concept(fields["valueCodeableConcept"], f"{where}valueCodeableConcept")[1])
    for name in ("valueString", "valueTime", "valueDateTime"):
        if name in fields:
            return Amount(words=tidy(str(fields[name]), TEXT_MAX))
    if "valueRange" in fields:
        return Amount(words=_ends(fields["valueRange"], "low", "high", " to ", f"{where}valueRange"))
    if "valueRatio" in fields:
        ratio = _ends(fields["valueRatio"], "numerator", "denominator", " : ", f"{where}valueRatio")
        return Amount(words=ratio)
    if "valuePeriod" in fields:
        period = fields["valuePeriod"]
        return Amount(words=tidy(f"{period.get('start', '')} to {period.get('end', '')}", TEXT_MAX))
    return Amount(words="a curve, not shown") if "valueSampledData" in fields else None


def _absent(fields: dict[str, Any]) -> Amount:
    reason = fields.get("dataAbsentReason")
    words = _concept(reason, "dataAbsentReason")[1] if reason else ""
    return Amount(words=f"no value: {words}" if words else "no value")


def _quantity(quantity: dict[str, Any], where: str) -> Amount:
    if quantity.get("value") is None:
        return Amount(words="no value")
    comparator = quantity.get("comparator", "")
    if comparator not in ("", *COMPARATORS):
        raise BadBundle(f"{where}.comparator: this is none that FHIR knows.")
    code = str(quantity.get("code", "")) if quantity.get("system") == UCUM else ""
    unit = str(quantity.get("unit") or quantity.get("code") or "")
    number = _number(quantity["value"], f"{where}.value")
    return Amount(number, comparator, tidy(unit, 60), tidy(code, 60))


def _number(value: Any, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadBundle(f"{where}: This is not a number.")
    try:
        return checked_decimal(Decimal(value))
    except BadNumber as error:
        raise BadBundle(f"{where}: {error}") from error


def _ends(fields: dict[str, Any], first: str, second: str, between: str, where: str) -> str:
    amounts = [_quantity(fields.get(name) or {}, f"{where}.{name}") for name in (first, second)]
    return between.join(
        f"{one.figures} {one.unit}".strip() if one.number is not None else "…" for one in amounts
    )


def _range(fields: dict[str, Any], where: str) -> Range | None:
    """The reference range, if there is exactly one: of several, which holds depends on age, sex and more."""
    given = fields.get("referenceRange", [])
    if len(given) != 1:
        return None
    (one,), place = given, f"{where}referenceRange[0]"
    ends = [(one.get(name) or {}).get("value") for name in ("low", "high")]
    low, high = (None if end is None else _number(end, f"{place}") for end in ends)
    unit = (fields.get("valueQuantity") or {}).get("unit")
    units = {(one.get(name) or {}).get("unit", unit) for name in ("low", "high") if one.get(name)}
    words = tidy(str(one.get("text", "")), TEXT_MAX)
    if units - {unit}:  # in another unit than the value: not to be compared
        words = words or f"{_ends(one, 'low', 'high', ' to ', place)}"
        low = high = None
    return Range(low, high, words) if low is not None or high is not None or words else None


def tidy(text: Any, most: int = TEXT_MAX) -> str:
    """One that can be shown: no lone surrogates or control characters, not endless."""
    text = str(text).encode("utf-8", "replace").decode()
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text).strip()
    return text if len(text) <= most else f"{text[: most - 1]}…"
