"""The flags that a laboratory gives a value (FHIR Observation.interpretation), in words that people read.

Codes and meanings: HL7 v3 ObservationInterpretation (terminology.hl7.org) and HL7 v2 table 0078.
"""

from dataclasses import dataclass
from typing import Final

SYSTEMS: Final = (
    "",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    "http://terminology.hl7.org/CodeSystem/v2-0078",
    "http://hl7.org/fhir/v3/ObservationInterpretation",
    "http://hl7.org/fhir/v2/0078",
    "urn:oid:2.16.840.1.113883.5.83",
)
MEANINGS: Final = {
    "N": "normal",
    "H": "high",
    "L": "low",
    "HH": "critically high",
    "LL": "critically low",
    "HU": "significantly high",
    "LU": "significantly low",
    "H>": "significantly high",
    "L<": "significantly low",
    "A": "abnormal",
    "AA": "critically abnormal",
    ">": "above what the device can measure",
    "<": "below what the device can measure",
    "HX": "above the upper threshold",
    "LX": "below the lower threshold",
    "EX": "outside the threshold",
    "U": "significant change up",
    "D": "significant change down",
    "B": "better",
    "W": "worse",
    "POS": "positive",
    "NEG": "negative",
    "DET": "detected",
    "ND": "not detected",
    "IND": "indeterminate",
    "E": "equivocal",
    "RR": "reactive",
    "NR": "not reactive",
    "WR": "weakly reactive",
    "UNE": "unexpected",
    "EXP": "expected",
    "R": "resistant",
    "I": "intermediate",
    "S": "susceptible",
    "MS": "moderately susceptible",
    "VS": "very susceptible",
    "NS": "not susceptible",
    "SDD": "susceptible, depending on the dose",
    "IE": "insufficient evidence",
    "CAR": "carrier",
    "AC": "anti-complementary substances present",
    "TOX": "toxic to cells",
    "QCF": "quality control failed",
    "HM": "held for a medical review",
    "OBX": "see the other values of this result",
}
_CRITICAL = frozenset({"HH", "LL", "AA", "HU", "LU", "H>", "L<", "QCF"})
_QUIET = frozenset({"N", "NEG", "ND", "NR", "S", "VS", "EXP", "B"})
_UP = frozenset({"H", "HH", "HU", "H>", "HX", ">"})
_DOWN = frozenset({"L", "LL", "LU", "L<", "LX", "<"})


@dataclass(frozen=True)
class Flag:
    """A flag of the source, with its code as it stands there. `meaning` is empty for what nobody knows."""

    code: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.code} {self.meaning}".strip()

    @property
    def tone(self) -> str:
        """Return how loud it is shown: failed (critical), waiting (abnormal or unknown) or quiet."""
        if self.code in _CRITICAL:
            return "failed"
        return "quiet" if self.code in _QUIET else "waiting"

    @property
    def side(self) -> str:
        """above, below, or "" for what says neither."""
        return "above" if self.code in _UP else "below" if self.code in _DOWN else ""


def flag_of(codes: list[tuple[str, str, str]], text: str) -> Flag | None:
    """The flag of (system, code, display) codings and a text. None where they are all empty."""
    for system, code, display in codes:
        meaning = MEANINGS.get(code) if system in SYSTEMS else None
        if meaning:
            more = text if text.casefold() not in (code.casefold(), meaning, display.casefold(), "") else ""
            return Flag(code, f"{meaning}: {more}" if more else meaning)
    system, code, display = codes[0] if codes else ("", "", "")
    meaning = text or display
    if not code and not meaning:
        return None
    return Flag(code, meaning if meaning.casefold() != code.casefold() else "")
