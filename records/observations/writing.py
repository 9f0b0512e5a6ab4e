"""Observations to FHIR JSON: a Bundle of type collection, with nobody's name or address in it."""

import json
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from records.observations.model import LOINC, UCUM, Amount, Observation, Part

MEDIA_TYPE = "application/fhir+json"
_NAMESPACE = uuid.UUID("5b0f3d0e-7a5b-5d0a-9c6a-3f0c1f7a9d21")


def write_observations(observations: Iterable[Observation]) -> bytes:
    """The bundle as UTF-8 JSON, the same bytes for the same observations; numbers with all their digits."""
    entries = []
    for number, one in enumerate(observations):
        resource = _resource(one)
        named = uuid.uuid5(_NAMESPACE, f"{number} {_dump(resource)}")
        entries.append({"fullUrl": f"urn:uuid:{named}", "resource": resource})
    return _dump({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def _resource(one: Observation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resourceType": "Observation",
        "status": one.status,
        "code": _code(one.code, one.name),
    }
    if one.when is not None:
        found["effectiveDateTime"] = one.when.text
    if one.single is not None:
        found |= _value(one.single)
    else:
        found["component"] = [{"code": _code(part.code, part.name)} | _value(part) for part in one.parts]
    if one.note:
        found["note"] = [{"text": one.note}]
    return found


def _code(code: str, name: str) -> dict[str, Any]:
    coding = {"coding": [{"system": LOINC, "code": code}]} if code else {}
    return coding | {"text": name}


def _value(part: Part) -> dict[str, Any]:
    amount: Amount = part.amount
    if amount.number is None:
        return {"valueString": amount.words}
    quantity: dict[str, Any] = {"value": amount.number}
    if amount.comparator:
        quantity["comparator"] = amount.comparator
    if amount.unit:
        quantity["unit"] = amount.unit
    if amount.unit_code:
        quantity |= {"system": UCUM, "code": amount.unit_code}
    return {"valueQuantity": quantity}


def _dump(value: Any) -> str:
    """JSON without white space. A Decimal keeps its zeros, which the json module cannot do."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_dump(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
