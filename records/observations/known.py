"""The common measurements: LOINC codes, and the UCUM units that each is given in.

A mass and an amount of substance have different LOINC codes, so a unit brings its code. Nothing here turns
one into the other.
"""

from dataclasses import dataclass
from typing import Final

from records.observations.units import unit_key


@dataclass(frozen=True)
class Unit:
    """A unit of one measurement."""

    code: str  # UCUM
    shown: str
    loinc: str


@dataclass(frozen=True)
class Measure:
    """A measurement with its units. With `parts` it is written as values with strokes between (120/80)."""

    key: str
    name: str
    units: tuple[Unit, ...]
    parts: tuple[tuple[str, str], ...] = ()  # (LOINC, name)

    def unit(self, text: str) -> Unit | None:
        """The unit that a person means. "" is enough where there is only one."""
        if not text.strip() and len(self.units) == 1:
            return self.units[0]
        same = [
            one
            for one in self.units
            if text.strip().casefold() in (one.shown.casefold(), one.code.casefold())
        ]
        same += [one for one in self.units if unit_key("", text) == unit_key(one.code, "")]
        return same[0] if same else None


def _measure(key: str, name: str, *units: tuple[str, str, str]) -> Measure:
    return Measure(key, name, tuple(Unit(*unit) for unit in units))


SYSTOLIC, DIASTOLIC, BLOOD_PRESSURE = "8480-6", "8462-4", "85354-9"

MEASURES: Final[tuple[Measure, ...]] = (
    Measure(
        "blood-pressure",
        "Blood pressure",
        (Unit("mm[Hg]", "mmHg", BLOOD_PRESSURE),),
        ((SYSTOLIC, "Systolic"), (DIASTOLIC, "Diastolic")),
    ),
    _measure("heart-rate", "Heart rate", ("/min", "/min", "8867-4")),
    _measure("weight", "Body weight", ("kg", "kg", "29463-7"), ("[lb_av]", "lb", "29463-7")),
    _measure("height", "Body height", ("cm", "cm", "8302-2"), ("[in_i]", "in", "8302-2")),
    _measure("bmi", "Body mass index", ("kg/m2", "kg/m²", "39156-5")),
    _measure("temperature", "Body temperature", ("Cel", "°C", "8310-5"), ("[degF]", "°F", "8310-5")),
    _measure("spo2", "Oxygen saturation (SpO2)", ("%", "%", "59408-5")),
    _measure("glucose", "Glucose", ("mg/dL", "mg/dL", "2345-7"), ("mmol/L", "mmol/L", "14749-6")),
    _measure("hba1c", "HbA1c", ("%", "%", "4548-4"), ("mmol/mol", "mmol/mol", "59261-8")),
    _measure("cholesterol", "Cholesterol", ("mg/dL", "mg/dL", "2093-3"), ("mmol/L", "mmol/L", "14647-2")),
    _measure("ldl", "LDL cholesterol", ("mg/dL", "mg/dL", "2089-1"), ("mmol/L", "mmol/L", "22748-8")),
    _measure("hdl", "HDL cholesterol", ("mg/dL", "mg/dL", "2085-9"), ("mmol/L", "mmol/L", "14646-4")),
    _measure("triglycerides", "Triglycerides", ("mg/dL", "mg/dL", "2571-8"), ("mmol/L", "mmol/L", "14927-8")),
    _measure("creatinine", "Creatinine", ("mg/dL", "mg/dL", "2160-0"), ("umol/L", "µmol/L", "14682-9")),
    _measure("egfr", "eGFR", ("mL/min/{1.73_m2}", "mL/min/1.73 m²", "62238-1")),
    _measure("hemoglobin", "Hemoglobin", ("g/dL", "g/dL", "718-7"), ("mmol/L", "mmol/L", "59260-0")),
    _measure("leukocytes", "Leukocytes", ("10*9/L", "10⁹/L", "26464-8"), ("10*3/uL", "10³/µL", "26464-8")),
    _measure("platelets", "Platelets", ("10*9/L", "10⁹/L", "26515-7"), ("10*3/uL", "10³/µL", "26515-7")),
    _measure("tsh", "TSH", ("m[IU]/L", "mIU/L", "3016-3")),
    _measure("crp", "C-reactive protein", ("mg/L", "mg/L", "1988-5")),
    _measure(
        "vitamin-d", "Vitamin D (25-OH)", ("ng/mL", "ng/mL", "62292-8"), ("nmol/L", "nmol/L", "68438-1")
    ),
    _measure("ferritin", "Ferritin", ("ng/mL", "ng/mL", "2276-4"), ("ug/L", "µg/L", "2276-4")),
    _measure("potassium", "Potassium", ("mmol/L", "mmol/L", "2823-3")),
    _measure("sodium", "Sodium", ("mmol/L", "mmol/L", "2951-2")),
)
BY_KEY: Final = {measure.key: measure for measure in MEASURES}
BY_LOINC: Final = {unit.loinc: measure for measure in MEASURES for unit in measure.units}
PART_OF: Final = {code: measure for measure in MEASURES for code, _ in measure.parts}
PART_NAMES: Final = {code: name for measure in MEASURES for code, name in measure.parts}
