"""Fields of a FHIR resource: its texts, codes and numbers, after the resource was checked."""

from decimal import Decimal
from typing import Any

from records.observations.decimals import COMPARATORS, BadNumber, checked_decimal
from records.observations.known import BY_LOINC, PART_NAMES
from records.observations.model import LOINC, UCUM, Amount
from records.observations.units import is_known, unit_key

TEXT_MAX = 300
NOTE_MAX = 2000


class BadBundle(ValueError):
    """Not a bundle of observations that can be taken. `str()` names the entry and the field."""


def tidy(text: Any, most: int = TEXT_MAX) -> str:
    """One that can be shown: no lone surrogates or control characters, not endless."""
    text = str(text).encode("utf-8", "replace").decode()
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text).strip()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def concept(value: dict[str, Any], where: str) -> tuple[str, str]:
    """Return (code, name) of a CodeableConcept: LOINC if it is among the codings. Raises BadBundle."""
    codings = [one for one in value.get("coding", []) if one.get("code")]
    codings.sort(key=lambda one: one.get("system") != LOINC)  # stable: the first LOINC, else the first
    first = codings[0] if codings else {}
    code = str(first.get("code", ""))
    if first and first.get("system") != LOINC:
        code = f"{first.get('system', '')}|{code}"
    known = BY_LOINC.get(code)
    known_name = known.name if known else PART_NAMES.get(code)
    name = value.get("text") or first.get("display") or known_name or first.get("code")
    name = tidy(str(name or ""), TEXT_MAX)
    if not name:
        raise BadBundle(f"{where}: it says neither text nor code.")
    return tidy(code, TEXT_MAX), name


def words_of(value: Any) -> str:
    """The words of a CodeableConcept or Reference that need not have any."""
    if not isinstance(value, dict):
        return ""
    codings = [one for one in value.get("coding") or [] if isinstance(one, dict)]
    named = [one.get("display") or one.get("code") for one in codings]
    return tidy(next(filter(None, (value.get("text"), value.get("display"), *named)), ""), TEXT_MAX)


def quantity(value: dict[str, Any], where: str) -> Amount:
    """Return a Quantity with its comparator and unit. Raises BadBundle, also where code and unit differ."""
    if value.get("value") is None:
        reason = _reason(value.get("_value"))
        return Amount(words=f"no value: {reason}" if reason else "no value")
    comparator = value.get("comparator", "")
    if comparator not in ("", *COMPARATORS):
        raise BadBundle(f"{where}.comparator: this is none that FHIR R4 knows.")
    code = str(value.get("code", "")) if value.get("system") == UCUM else ""
    unit = str(value.get("unit") or value.get("code") or "")
    coded, written = unit_key(code, ""), unit_key("", unit)
    if code and coded != written and is_known(coded) and is_known(written):
        raise BadBundle(f"{where}: its unit is written {tidy(unit, 60)} and coded {tidy(code, 60)}.")
    return Amount(number(value["value"], f"{where}.value"), comparator, tidy(unit, 60), tidy(code, 60))


def number(value: Any, where: str) -> Decimal:
    """Return a number that can be kept exactly. Raises BadBundle."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadBundle(f"{where}: This is not a number.")
    try:
        return checked_decimal(Decimal(value))
    except BadNumber as error:
        raise BadBundle(f"{where}: {error}") from error


def ends(fields: dict[str, Any], first: str, second: str, between: str, where: str) -> str:
    """Return two quantities in words: 1 g to 2 g."""
    amounts = [quantity(fields.get(name) or {}, f"{where}.{name}") for name in (first, second)]
    return between.join(
        f"{one.figures} {one.unit}".strip() if one.number is not None else "…" for one in amounts
    )


def _reason(element: Any) -> str:
    """The code of the extension that says why a value is missing (FHIR: data-absent-reason)."""
    extensions = element.get("extension") if isinstance(element, dict) else None
    for one in extensions if isinstance(extensions, list) else []:
        if isinstance(one, dict) and str(one.get("url", "")).endswith("/data-absent-reason"):
            return tidy(one.get("valueCode", ""), 60)
    return ""
