"""Numbers exactly as they were written: 5.40 stays 5.40 (FHIR R4, decimal: its precision counts)."""

import re
from decimal import Decimal, InvalidOperation

DIGITS_MAX = 18  # FHIR's least that systems must carry
LARGEST = 15  # power of ten
SMALLEST = -12
COMPARATORS = ("<=", ">=", "<", ">")

_WRITTEN = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?\d+(?:\.\d+)?)")


class BadNumber(ValueError):
    """Not a number that can be kept exactly; `str()` says why."""


def checked_decimal(number: Decimal) -> Decimal:
    """The number, if finite and of a size that a measurement can have; -0 becomes 0. Raises BadNumber."""
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
    found = _WRITTEN.fullmatch(text)
    if found is None or not found.group(2).isascii():
        hint = " with a point, not a comma" if "," in text else ""
        raise BadNumber(f"Write a number like 5.4 or < 0.3{hint}.")
    comparator = (found.group(1) or "").replace("≤", "<=").replace("≥", ">=")
    try:
        return comparator, checked_decimal(Decimal(found.group(2)))
    except InvalidOperation as error:
        raise BadNumber("This is not a number.") from error
