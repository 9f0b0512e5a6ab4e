"""Reports as PDF, made by code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fpdf import FPDF
from fpdf.fonts import FontFace

_INK = (33, 45, 58)
_ACCENT = (14, 110, 115)
_OUT_OF_RANGE = (178, 58, 42)
_COLUMNS = (56, 26, 24, 40)  # relative widths


@dataclass(frozen=True)
class Measurement:
    """One line of a laboratory report. Low and high bound the reference range, in the unit given."""

    name: str
    value: float
    unit: str
    low: float
    high: float

    @property
    def in_range(self) -> bool:
        """Return whether the value lies within its reference range."""
        return self.low <= self.value <= self.high


def laboratory_report(
    *, institution: str, patient: str, taken_on: date, heading: str, measurements: Sequence[Measurement]
) -> bytes:
    """A one-page laboratory report. Values out of range are marked."""
    pdf = _page(institution, heading, [("Patient", patient), ("Sample taken", f"{taken_on:%d %B %Y}")])
    pdf.set_font("Helvetica", size=10)
    heading_style = FontFace(emphasis="BOLD", color=_ACCENT)
    with pdf.table(
        col_widths=_COLUMNS,
        headings_style=heading_style,
        borders_layout="HORIZONTAL_LINES",
        line_height=7,
        text_align=("LEFT", "RIGHT", "LEFT", "LEFT"),
    ) as table:
        table.row(("Test", "Result", "Unit", "Reference range"))
        for each in measurements:
            row = table.row()
            style = None if each.in_range else FontFace(emphasis="BOLD", color=_OUT_OF_RANGE)
            row.cell(each.name)
            row.cell(f"{each.value:g}", style=style)
            row.cell(each.unit)
            row.cell(f"{each.low:g} - {each.high:g}")
    return bytes(pdf.output())


def letter(
    *, institution: str, patient: str, written_on: date, heading: str, paragraphs: Sequence[str]
) -> bytes:
    """A one-page letter, such as a discharge summary."""
    pdf = _page(institution, heading, [("Patient", patient), ("Date", f"{written_on:%d %B %Y}")])
    pdf.set_font("Helvetica", size=11)
    for paragraph in paragraphs:
        pdf.multi_cell(0, 6, paragraph, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)
    return bytes(pdf.output())


def _page(institution: str, heading: str, facts: Sequence[tuple[str, str]]) -> FPDF:
    pdf = FPDF(format="A4")
    pdf.set_title(heading)
    pdf.set_margin(20)
    pdf.add_page()
    pdf.set_text_color(*_ACCENT)
    pdf.set_font("Helvetica", "B", 12)
    pdf.cell(0, 8, institution, new_x="LMARGIN", new_y="NEXT")
    pdf.set_text_color(*_INK)
    pdf.set_font("Helvetica", "B", 20)
    pdf.cell(0, 14, heading, new_x="LMARGIN", new_y="NEXT")
    for name, value in facts:
        pdf.set_font("Helvetica", "B", 10)
        pdf.cell(32, 6, name)
        pdf.set_font("Helvetica", size=10)
        pdf.cell(0, 6, value, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(6)
    return pdf
