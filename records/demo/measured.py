"""What the demo's patients have measured over two years, so that a trend is there to be looked at."""

from decimal import Decimal

from records.observations.known import BY_KEY
from records.observations.model import Amount, Observation, Part
from records.observations.moments import parse_moment

_BEN = (
    # month, HbA1c (%), weight (kg), blood pressure (mmHg)
    ("2024-02-12", "8.2", "96.4", "152/94"),
    ("2024-05-20", "7.9", "95.1", "148/92"),
    ("2024-08-19", "7.6", "93.8", "144/88"),
    ("2024-11-25", "7.7", "94.2", "146/90"),
    ("2025-03-03", "7.4", "92.5", "139/86"),
    ("2025-06-16", "7.2", "91.0", "136/84"),
    ("2025-09-08", "7.0", "90.2", "134/82"),
    ("2026-01-15", "7.1", "89.9", "132/83"),
)
_ASHA = (
    # day, hemoglobin (g/dL), ferritin (ng/mL)
    ("2024-04-08", "13.4", "38"),
    ("2024-10-14", "12.9", "27"),
    ("2025-05-05", "12.3", "18"),
    ("2025-11-17", "11.6", "12"),
    ("2026-03-02", "11.1", "9"),
)


def bens_measurements() -> list[Observation]:
    """Diabetes, weight and blood pressure, getting better."""
    rows = [zip(("hba1c", "weight", "blood-pressure"), values, strict=True) for _, *values in _BEN]
    return [_one(day, key, text) for (day, *_), row in zip(_BEN, rows, strict=True) for key, text in row]


def ashas_measurements() -> list[Observation]:
    """An iron deficiency, coming slowly."""
    rows = [zip(("hemoglobin", "ferritin"), values, strict=True) for _, *values in _ASHA]
    return [_one(day, key, text) for (day, *_), row in zip(_ASHA, rows, strict=True) for key, text in row]


def _one(day: str, key: str, text: str) -> Observation:
    measure = BY_KEY[key]
    unit = measure.units[0]
    named = measure.parts or ((unit.loinc, measure.name),)
    parts = tuple(
        Part(code, name, Amount(Decimal(value), unit=unit.shown, unit_code=unit.code))
        for (code, name), value in zip(named, text.split("/"), strict=True)
    )
    return Observation(unit.loinc, measure.name, parse_moment(day), parts)
