"""What an observation is here: a name, a value as it was written, a moment."""

from dataclasses import dataclass
from decimal import Decimal

from records.observations.flags import Flag
from records.observations.limits import IMPOSSIBLE, judge
from records.observations.moments import Moment

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
STATES = {
    "registered": "not yet ready",
    "preliminary": "preliminary, it may still change",
    "amended": "amended after it was final",
    "corrected": "corrected after it was final",
    "unknown": "state not known",
}


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
        """Return whether it is one exact number, which a chart may show."""
        return self.number is not None and not self.comparator


@dataclass(frozen=True)
class Range:
    """A reference range. Either end may be open.

    `words` say what it is for, or all of it. Only a range that is `compared` is held against the value.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    words: str = ""
    compared: bool = True

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            ends = f"{self.low:f} to {self.high:f}"
        elif self.low is not None:
            ends = f"from {self.low:f}"
        else:
            ends = f"up to {self.high:f}" if self.high is not None else ""
        return f"{ends} ({self.words})" if ends and self.words else ends or self.words

    def side(self, amount: Amount) -> str:
        """above, below, or "" (within, or not to be said)."""
        if amount.number is None or amount.comparator or not self.compared:
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
    flags: tuple[Flag, ...] = ()
    remarks: tuple[str, ...] = ()  # what else the source says of this value alone

    @property
    def side(self) -> str:
        """Above or below its reference range, in a word. "" where a flag of the source says so already."""
        side = self.range.side(self.amount) if self.range else ""
        return "" if any(flag.side == side for flag in self.flags) else side

    @property
    def doubt(self) -> str:
        """odd, impossible, or "" where the number is a usual one."""
        amount = self.amount
        if amount.number is None:
            return ""
        return judge(self.code, amount.unit_code, amount.unit, amount.number, amount.comparator)

    @property
    def plotted(self) -> bool:
        """Return whether a chart may show it: one exact number, and one that can be."""
        return self.amount.plotted and self.doubt != IMPOSSIBLE


@dataclass(frozen=True)
class Observation:
    """An observation with at least one part. `when` is None where the source gives no date.

    `flags` and `remarks` belong to all parts. `site` is the body site. `ahead` says that its date lies
    in the future.
    """

    code: str
    name: str
    when: Moment | None
    parts: tuple[Part, ...]
    note: str = ""
    status: str = "final"
    flags: tuple[Flag, ...] = ()
    remarks: tuple[str, ...] = ()
    site: str = ""
    ahead: bool = False

    @property
    def state(self) -> str:
        """Return the status's meaning for the reader, "" for a final one."""
        return STATES.get(self.status, "")

    @property
    def said(self) -> tuple[str, ...]:
        """Return the source's remarks on all parts, in words."""
        site = f"body site: {self.site}" if self.site else ""
        return tuple(filter(None, (self.state, site, *self.remarks)))

    @property
    def single(self) -> Part | None:
        """The value, where it is one and not made of components."""
        one = self.parts[0]
        return one if len(self.parts) == 1 and one.code == self.code else None

    @property
    def joined(self) -> str:
        """120/80: numbers of components that say nothing but their value, in one unit; else ""."""
        alike = {part.amount.unit for part in self.parts}
        plain = all(
            part.amount.plotted and not (part.range or part.flags or part.remarks or part.doubt)
            for part in self.parts
        )
        if len(self.parts) < 2 or len(alike) > 1 or not plain:
            return ""
        return "/".join(part.amount.figures for part in self.parts)

    @property
    def rows(self) -> list["PartRow"]:
        """A line of a table for each part. One for all that are read as one (120/80)."""
        if self.joined:
            return [PartRow(self, self.parts[0], "", self.joined)]
        named = self.single is None
        return [PartRow(self, part, part.name if named else "", part.amount.figures) for part in self.parts]


@dataclass(frozen=True)
class PartRow:
    """A part with all that stands with its value."""

    whole: Observation
    part: Part
    name: str  # of the part, "" where it is the whole
    figures: str

    @property
    def unit(self) -> str:
        """The unit as it was written."""
        return self.part.amount.unit

    @property
    def range(self) -> Range | None:
        """The reference range."""
        return self.part.range

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The source's flags for the part, and for all of it."""
        return tuple(dict.fromkeys((*self.whole.flags, *self.part.flags)))

    @property
    def sides(self) -> str:
        """Above or below the reference range."""
        return self.part.side

    @property
    def doubt(self) -> str:
        """odd, impossible or ""."""
        return self.part.doubt

    @property
    def ahead(self) -> bool:
        """Return whether it is dated in the future."""
        return self.whole.ahead

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return the other remarks on it."""
        return (*self.whole.said, *self.part.remarks)
