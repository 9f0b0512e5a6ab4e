"""Numbers exactly as they were written: 5.40 stays 5.40 (FHIR R4, decimal: its precision counts).

A point is always the decimal sign. A comma is one where it can be nothing else: 5,4 is 5.4. In 1,234 it may
stand between thousands, so that is asked back.
"""

import re
from decimal import Decimal, InvalidOperation

DIGITS_MAX = 18  # FHIR's least that systems must carry
LARGEST = 15  # power of ten
SMALLEST = -12
COMPARATORS = ("<=", ">=", "<", ">")

_WRITTEN = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?\d+(?:[.,]\d+)?)")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_FIGURES = re.compile(r"[<>=≤≥\s]*[+\-\u2212]?\d[\d.,'\u2019\s\u066b\u066c]*")


class BadNumber(ValueError):
    """Not a number that can be kept exactly. `str()` says why."""


def checked_decimal(number: Decimal) -> Decimal:
    """The number, if finite and of a size that a measurement can have. -0 becomes 0. Raises BadNumber."""
    if not number.is_finite():
        raise BadNumber("This is not a number.")
    digits, exponent = number.as_tuple().digits, int(number.as_tuple().exponent)
    if len(digits) > DIGITS_MAX or exponent < -DIGITS_MAX or exponent > LARGEST:
        raise BadNumber(f"A number has at most {DIGITS_MAX} digits.")
    if number and not SMALLEST <= number.adjusted() <= LARGEST:
        raise BadNumber("This number is too large or too small for a measurement.")
    return number if number else number.copy_abs()


def parse_number(text: str) -> tuple[str, Decimal]:
    """(comparator or "", number) of what a person writes: 5.40, < 0.3. Raises BadNumber."""
    text = text.strip()
    written = _WRITTEN.fullmatch(text)
    if written is None or not written.group(2).isascii():
        raise BadNumber(_hint(text))
    comparator = (written.group(1) or "").replace("≤", "<=").replace("≥", ">=")
    figures = written.group(2)
    if _THOUSANDS.fullmatch(figures):
        point, whole = figures.replace(",", "."), figures.replace(",", "")
        raise BadNumber(f"{figures} can mean two numbers. Write {point} or {whole}.")
    try:
        return comparator, checked_decimal(Decimal(figures.replace(",", ".")))
    except InvalidOperation as error:
        raise BadNumber("This is not a number.") from error


def looks_like_number(text: str) -> bool:
    """Return whether somebody meant a number, in whatever digits and with whatever signs in it."""
    return _FIGURES.fullmatch(text.strip()) is not None


def _hint(text: str) -> str:
    example = "Write a number like 5.4 or < 0.3"
    if sum(text.count(sign) for sign in ",.'\u2019") > 1:
        return f"{example}, without a sign between thousands."
    return f"{example}, with the digits 0 to 9." if looks_like_number(text) else f"{example}."
