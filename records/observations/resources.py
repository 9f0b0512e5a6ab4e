"""One FHIR Observation (R4, and other releases as `releases` reads them) to an observation of ours.

Whatever changes what the value means stands with the value: flags, comparators, reference ranges, the status,
body site and method. What cannot be said so, is not shown as a value: BadBundle names the field.
"""

from datetime import datetime
from typing import Any

from records.observations.fields import (
    NOTE_MAX,
    TEXT_MAX,
    BadBundle,
    concept,
    ends,
    number,
    quantity,
    tidy,
    words_of,
)
from records.observations.flags import Flag, flag_of
from records.observations.model import Amount, Observation, Part, Range
from records.observations.moments import BadMoment, Moment, parse_moment
from records.observations.releases import as_r4, with_zones
from records.observations.units import unit_key

PARTS_MAX = 50
FLAGS_MAX = 10
STATUSES = ("registered", "preliminary", "final", "amended", "corrected", "cancelled", "unknown")
UNKNOWN_MODIFIER = "it says something that changes what the value means and that is not understood here"
_RANGE_KINDS = ("", "normal", "recommended")  # others (treatment, critical ...) are not what "above" is about
_PROBLEMS = {
    "extra_forbidden": "FHIR R4 has no such field here. Ask the file's sender for FHIR R4",
    "missing": "this field is required",
    "model_field_validation.missing": "this field is required",
}
_DATES = ("effectiveDateTime", "effectiveInstant", "issued", "valueDateTime", "start", "end")


def read_observation(resource: dict[str, Any], now: datetime) -> Observation:
    """Return the observation of a resource. Raises BadBundle."""
    try:
        resource = _without_null(resource)
    except RecursionError as error:
        raise BadBundle("Observation: it is nested too deeply.") from error
    _refuse_modifiers(resource)
    fields, remarks = as_r4(resource)
    _check(fields)
    if fields["status"] not in STATUSES:
        raise BadBundle("status: this is none that FHIR knows.")
    code, name = concept(fields["code"], "code")
    when, more = _when(fields)
    parts = _parts(fields, code, name)
    whole = _flags(fields) if not _has_value(fields) else ()
    notes = [tidy(note.get("text", ""), NOTE_MAX) for note in fields.get("note", [])]
    site = words_of(fields.get("bodySite"))
    return Observation(
        code,
        name,
        when,
        tuple(parts),
        "\n".join(filter(None, notes)),
        fields["status"],
        flags=whole,
        remarks=(*_surroundings(fields), *remarks, *more),
        site=site,
        ahead=when is not None and when.is_ahead(now),
    )


def _without_null(value: Any) -> Any:
    """The value without JSON's null, which FHIR knows only as a place holder."""
    if isinstance(value, dict):
        return {name: _without_null(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_null(each) for each in value if each is not None]
    return value


def _refuse_modifiers(resource: dict[str, Any]) -> None:
    """Refuse what FHIR forbids to pass over (R4, 2.5.2): extensions that may turn the meaning round."""
    for name in ("modifierExtension", "implicitRules"):
        if resource.get(name):
            raise BadBundle(f"{name}: {UNKNOWN_MODIFIER}.")
    for field in ("component", "referenceRange"):
        values = resource.get(field)
        for place, one in enumerate(values if isinstance(values, list) else []):
            if isinstance(one, dict) and one.get("modifierExtension"):
                raise BadBundle(f"{field}[{place}].modifierExtension: {UNKNOWN_MODIFIER}.")
    if resource.get("focus"):
        raise BadBundle("focus: this is about somebody or something else than the patient.")


def _parts(fields: dict[str, Any], code: str, name: str) -> list[Part]:
    components = fields.get("component", [])
    if len(components) > PARTS_MAX:
        raise BadBundle(f"component: at most {PARTS_MAX} are read.")
    parts = []
    if _has_value(fields):
        parts.append(_part(fields, "", code, name))
    for place, component in enumerate(components):
        where = f"component[{place}]."
        parts.append(_part(component, where, *concept(component["code"], f"{where}code")))
    if not parts:
        parts.append(Part(code, name, _absent(fields), _range(fields, "")))
    return parts


def _part(fields: dict[str, Any], where: str, code: str, name: str) -> Part:
    amount = _amount(fields, where)
    absent = words_of(fields.get("dataAbsentReason")) if amount is not None else ""
    remarks = (f"said to be missing: {absent}",) if absent else ()
    reference = _range(fields, where)
    return Part(code, name, amount or _absent(fields), reference, _flags(fields), remarks)


def _check(fields: dict[str, Any]) -> None:
    # Few processes check resources, and both packages are large.
    from fhir.resources.R4B.observation import Observation as Model  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        Model.model_validate(with_zones(fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise BadBundle(tidy(_problem(first), TEXT_MAX)) from error
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise BadBundle("Observation: it cannot be read.") from error


def _problem(error: Any) -> str:
    """What the check found, in everyday words: where, and what is wrong there."""
    steps = error["loc"]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    if steps and steps[-1] in _DATES:
        words = "this is no date that FHIR knows, like 2026-03-01 or 2026-03-01T08:30:00+01:00"
    elif "got multiple" in error["msg"]:
        place, words = place or "value", "the value is given twice, in different forms"
    else:
        words = _PROBLEMS.get(error["type"], "this is not what FHIR R4 has here")
    return f"{place or 'Observation'}: {words}."


def _when(fields: dict[str, Any]) -> tuple[Moment | None, list[str]]:
    """The moment as it is written, and in words what a moment cannot say."""
    period = fields.get("effectivePeriod") or {}
    timing = (fields.get("effectiveTiming") or {}).get("event") or [None]
    choices = [
        ("effectiveDateTime", fields.get("effectiveDateTime")),
        ("effectiveInstant", fields.get("effectiveInstant")),
        ("effectivePeriod.start", period.get("start")),
        ("effectivePeriod.end", period.get("end")),
        ("effectiveTiming.event[0]", timing[0]),
    ]
    for name, text in choices:
        if text:
            try:
                moment = parse_moment(str(text), zone=None)
            except BadMoment as error:
                raise BadBundle(f"{name}: {error}") from error
            return moment, [words for words in (_span(name, period, timing), _zone(moment)) if words]
    return None, []


def _span(name: str, period: dict[str, Any], timing: list[Any]) -> str:
    if name == "effectivePeriod.start" and period.get("end"):
        return f"until {tidy(period['end'], 40)}"
    if name == "effectivePeriod.end":
        return "the date is that of its end"
    return "taken at several times" if len(timing) > 1 and name.startswith("effectiveTiming") else ""


def _zone(moment: Moment) -> str:
    return "" if moment.zoned else "the time has no time zone"


def _has_value(fields: dict[str, Any]) -> bool:
    return any(name.startswith("value") for name in fields)


def _amount(fields: dict[str, Any], where: str) -> Amount | None:
    if "valueQuantity" in fields:
        return quantity(fields["valueQuantity"], f"{where}valueQuantity")
    if "valueInteger" in fields:
        return Amount(number(fields["valueInteger"], f"{where}valueInteger"))
    if "valueBoolean" in fields:
        return Amount(words="yes" if fields["valueBoolean"] else "no")
    if "valueCodeableConcept" in fields:
        return Amount(words=concept(fields["valueCodeableConcept"], f"{where}valueCodeableConcept")[1])
    for name in ("valueString", "valueTime", "valueDateTime"):
        if name in fields:
            return Amount(words=tidy(str(fields[name]), TEXT_MAX))
    if "valueRange" in fields:
        return Amount(words=ends(fields["valueRange"], "low", "high", " to ", f"{where}valueRange"))
    if "valueRatio" in fields:
        ratio = ends(fields["valueRatio"], "numerator", "denominator", " : ", f"{where}valueRatio")
        return Amount(words=ratio)
    if "valuePeriod" in fields:
        period = fields["valuePeriod"]
        return Amount(words=tidy(f"{period.get('start', '')} to {period.get('end', '')}", TEXT_MAX))
    return Amount(words="a curve, not shown") if "valueSampledData" in fields else None


def _absent(fields: dict[str, Any]) -> Amount:
    words = words_of(fields.get("dataAbsentReason"))
    return Amount(words=f"no value: {words}" if words else "no value")


def _flags(fields: dict[str, Any]) -> tuple[Flag, ...]:
    found = []
    for one in fields.get("interpretation", [])[:FLAGS_MAX]:
        codings = [
            (tidy(coding.get("system", "")), tidy(coding.get("code", "")), tidy(coding.get("display", "")))
            for coding in one.get("coding", [])
            if coding.get("code") or coding.get("display")
        ]
        found.append(flag_of(codings, tidy(one.get("text") or "", 100)))
    return tuple(dict.fromkeys(filter(None, found)))


def _surroundings(fields: dict[str, Any]) -> list[str]:
    """How and on what it was measured, where the source says it in words."""
    named = [
        ("method", words_of(fields.get("method"))),
        ("device", words_of(fields.get("device"))),
        ("specimen", words_of(fields.get("specimen"))),
    ]
    return [f"{name}: {words}" for name, words in named if words]


def _range(fields: dict[str, Any], where: str) -> Range | None:
    """The reference range.

    Of several ranges, which one holds depends on age, sex and more: they are said, and not compared.
    """
    values = fields.get("referenceRange", [])
    if len(values) == 1:
        return _one_range(values[0], fields, f"{where}referenceRange[0]")
    all_words = []
    for place, one in enumerate(values):
        read = _one_range(one, fields, f"{where}referenceRange[{place}]")
        if read is not None:
            all_words.append(str(read))
    return Range(words=tidy("; ".join(all_words), TEXT_MAX), compared=False) if all_words else None


def _one_range(one: dict[str, Any], fields: dict[str, Any], place: str) -> Range | None:
    both = [one.get(name) or {} for name in ("low", "high")]
    low, high = (None if end.get("value") is None else number(end["value"], place) for end in both)
    kind = one.get("type") or {}
    codes = {str(coding.get("code") or "") for coding in kind.get("coding", [])} or {""}
    about = [words_of(kind)] if not codes <= set(_RANGE_KINDS) or kind.get("text") else []
    about += [words_of(each) for each in one.get("appliesTo", [])]
    if one.get("age"):
        about.append("age " + ends(one["age"], "low", "high", " to ", f"{place}.age"))
    compared = not any(about) and not any(end.get("comparator") for end in both)
    words = ", ".join(filter(None, [tidy(one.get("text") or "", TEXT_MAX), *about]))
    unit = _key(fields.get("valueQuantity") or {})
    if any(_key(end) not in (unit, "") for end in both if end):  # another unit than the value's
        written = ends(one, "low", "high", " to ", place)
        return Range(words=f"{written} ({words})" if words else written, compared=False)
    return Range(low, high, words, compared) if low is not None or high is not None or words else None


def _key(quantity: dict[str, Any]) -> str:
    return unit_key(str(quantity.get("code") or ""), str(quantity.get("unit") or ""))
