"""What an observation is here: a name, a value as it was written, a moment."""

from dataclasses import dataclass
from decimal import Decimal

from records.observations.moments import Moment

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True)
class Amount:
    """A value: a number with a unit, or words (a coded or written finding)."""

    number: Decimal | None = None
    comparator: str = ""  # < <= >= >
    unit: str = ""  # as people read it
    unit_code: str = ""  # UCUM, "" when the source names none
    words: str = ""

    @property
    def figures(self) -> str:
        """The number with every digit that it came with, or the words."""
        if self.number is None:
            return self.words
        return f"{self.comparator} {self.number:f}".strip()

    @property
    def plotted(self) -> bool:
        """Whether it is one exact number, which a chart may show."""
        return self.number is not None and not self.comparator


@dataclass(frozen=True)
class Range:
    """A reference range; either end may be open."""

    low: Decimal | None = None
    high: Decimal | None = None
    words: str = ""

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"{self.low:f} to {self.high:f}"
        if self.low is not None:
            return f"from {self.low:f}"
        return f"up to {self.high:f}" if self.high is not None else self.words

    def side(self, amount: Amount) -> str:
        """above, below, or "" (within, or not to be said)."""
        if amount.number is None or amount.comparator:
            return ""
        if self.high is not None and amount.number > self.high:
            return "above"
        return "below" if self.low is not None and amount.number < self.low else ""


@dataclass(frozen=True)
class Part:
    """One value of an observation: itself, or one of its components (systolic, diastolic)."""

    code: str  # LOINC where there is one, else "system|code" or ""
    name: str
    amount: Amount
    range: Range | None = None

    @property
    def side(self) -> str:
        """Above or below its reference range, in a word."""
        return self.range.side(self.amount) if self.range else ""


@dataclass(frozen=True)
class Observation:
    """An observation with at least one part; `when` is None where the source gives no date."""

    code: str
    name: str
    when: Moment | None
    parts: tuple[Part, ...]
    note: str = ""
    status: str = "final"

    @property
    def single(self) -> Part | None:
        """The value, where it is one and not made of components."""
        one = self.parts[0]
        return one if len(self.parts) == 1 and one.code == self.code else None

    @property
    def joined(self) -> str:
        """120/80: numbers of components that say nothing but their value, in one unit; else ""."""
        alike = {(part.amount.plotted, part.amount.unit, part.range) for part in self.parts}
        if len(self.parts) < 2 or len(alike) > 1 or not self.parts[0].amount.plotted or self.parts[0].range:
            return ""
        return "/".join(part.amount.figures for part in self.parts)
