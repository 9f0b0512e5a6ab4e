"""Observations of other FHIR releases (DSTU2, STU3, R5), with their fields as R4 names them.

Sources: the version histories of Observation at hl7.org/fhir/DSTU2, STU3, R4, R4B and R5. What is no such
field stays, and the check for R4 then says so.
"""

import re
from typing import Any

from records.observations.fields import tidy, words_of

_TIMES = ("effectiveDateTime", "effectiveInstant", "issued", "valueDateTime")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?")
_UNSAID = ("text", "contained", "meta")  # they change no value; other releases write them otherwise
_ELSEWHERE = (
    "context", "triggeredBy", "instantiatesCanonical", "instantiatesReference", "organizer",
)  # fmt: skip
_FILES = ("valueAttachment", "valueReference")
_RELATED = {
    "replaces": "it replaces another value",
    "qualified-by": "another value limits what it says",
    "interfered-by": "something interfered with it",
}


def as_r4(resource: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return an Observation with R4's fields, and in words what R4 has no field for."""
    fields = {name: value for name, value in resource.items() if name not in (*_UNSAID, *_ELSEWHERE)}
    remarks: list[str] = []
    for old, new in (("appliesDateTime", "effectiveDateTime"), ("appliesPeriod", "effectivePeriod")):
        if old in fields and new not in fields:
            fields[new] = fields.pop(old)
    for name in ("comments", "comment"):
        if isinstance(fields.get(name), str) and isinstance(fields.get("note", []), list):
            fields["note"] = [*fields.get("note", []), {"text": fields.pop(name)}]
    if isinstance(fields.get("reliability"), str):
        reliability = fields.pop("reliability")
        remarks += [f"reliability: {tidy(reliability, 60)}"] if reliability != "ok" else []
    if structure := words_of(fields.pop("bodyStructure", None)):
        remarks.append(f"body structure: {structure}")
    remarks += _related(fields.pop("related", None))
    _values(fields)
    if isinstance(fields.get("component"), list):
        fields["component"] = [_component(one) for one in fields["component"]]
    return fields, remarks


def with_zones(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with times as FHIR wants them, with seconds and a zone: for the check alone.

    Many sources leave the zone out. What is shown stays as it is written.
    """
    checked = dict(fields)
    for name in _TIMES:
        if isinstance(fields.get(name), str):
            checked[name] = _with_zone(fields[name])
    for name in ("effectivePeriod", "valuePeriod"):
        if isinstance(period := fields.get(name), dict):
            checked[name] = {
                key: _with_zone(value) if isinstance(value, str) and key in ("start", "end") else value
                for key, value in period.items()
            }
    if isinstance(components := fields.get("component"), list):
        checked["component"] = [with_zones(one) if isinstance(one, dict) else one for one in components]
    return checked


def _with_zone(text: str) -> str:
    written = _TIME.fullmatch(text)
    if written is None:
        return text
    day, time, seconds, zone = written.groups()
    return f"{day}T{time}{seconds or ':00'}{zone or 'Z'}"


def _component(component: Any) -> Any:
    if not isinstance(component, dict):
        return component
    fields = dict(component)
    _values(fields)
    return fields


def _values(fields: dict[str, Any]) -> None:
    """Read the fields that an observation and its components have alike."""
    if isinstance(fields.get("interpretation"), dict):  # one, until STU3
        fields["interpretation"] = [fields["interpretation"]]
    for name in _FILES:
        if name in fields:
            del fields[name]
            fields["valueString"] = "a file, not shown here"
    quantity = fields.get("valueQuantity")
    if isinstance(quantity, dict) and "units" in quantity and "unit" not in quantity:
        fields["valueQuantity"] = {"unit" if key == "units" else key: each for key, each in quantity.items()}
    if isinstance(fields.get("referenceRange"), list):
        fields["referenceRange"] = [_reference_range(one) for one in fields["referenceRange"]]


def _reference_range(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    fields = dict(value)
    if isinstance(fields.get("meaning"), dict) and "type" not in fields:  # DSTU2
        fields["type"] = fields.pop("meaning")
    if normal := words_of(fields.pop("normalValue", None)):  # R5
        fields["text"] = f"{fields['text']}, {normal}" if fields.get("text") else normal
    return fields


def _related(related: Any) -> list[str]:
    kinds = [one.get("type") for one in related if isinstance(one, dict)] if isinstance(related, list) else []
    return [words for kind, words in _RELATED.items() if kind in kinds]
