"""Spellings of units: which of them mean the same unit, so that one measurement stays one series.

Only the spelling is compared. A unit is never turned into another one, except where both are the same number
by definition (10*3/uL and 10*9/L). Codes: UCUM (ucum.org), in its case-sensitive and its upper-case form.
"""

import re
import unicodedata

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_MICRO = re.compile("[µμ]")
_TEN = re.compile(r"(?:[x\u00d7]|10)?10(?:\^|\*\*|\*|E|e)?(3|6|9|12)(?=/)")
_LITRE = re.compile(r"(?<![A-Za-z\[])([munpfdc]?)l(?![A-Za-z])")
_MICROGRAM = re.compile(r"(?<![A-Za-z])mc(?=(g|mol|L|U|IU)\b)")
_INTERNATIONAL = re.compile(r"(?<![A-Za-z\[])([mukM]?)(?:\[iU\]|\[IU\]|IU|iU|I\.U\.|UI)(?![A-Za-z])")

# Each line: a UCUM code, then other spellings of it.
_SPELLINGS = """
mm[Hg]: mmHg, mm(Hg), mm-Hg, torr
/min: 1/min, min-1, bpm, BPM, beats/min, beats/minute, beatsperminute, {beats}/min, {breaths}/min, breaths/min
Cel: °C, ℃, degC, C, °Celsius, Celsius, [degC]
[degF]: °F, ℉, degF, F, Fahrenheit
kg: KG, Kg, kilogram, kilograms
g: gram, grams
[lb_av]: lb, lbs, pound, pounds
[in_i]: in, inch, inches
cm: CM, centimeter, centimetre
kg/m2: kg/m^2, kg/m**2, kg/(m2), kg.m-2
%: percent, {%}, pct
mL/min/{1.73_m2}: mL/min/1.73m2, mL/min/1.73m^2, mL/min/{1.73m2}, mL/min/1.73_m2, mL/min/[1.73_m2]
10*9/L: Gpt/L, giga/L, 10*3/uL, K/uL, k/uL, K/mm3, 10*3/mm3, Thou/uL, Thousand/uL, tsd/uL, {10*9}/L
10*12/L: Tpt/L, 10*6/uL, M/uL, 10*6/mm3, Mill/uL, Mio/uL
mg/dL: mg%, mg/100mL
g/dL: g%, g/100mL
mmol/mol: mmol/molHb
ng/mL: ug/L
pg/mL: ng/L
ug/mL: mg/L
mg/mL: g/L
m[IU]/L: u[IU]/mL
m[IU]/mL: [IU]/L
mmol/L: mM
umol/L: uM
meq/L: mEq/L, mval/L
U/L: Units/L, units/L
"""


def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for line in filter(None, _SPELLINGS.splitlines()):
        code, _, others = line.partition(": ")
        for spelling in (code, *others.split(",")):
            table[_plain(spelling)] = code
    return table


def unit_key(code: str, unit: str) -> str:
    """One key for all spellings of a unit: of its UCUM code, or where there is none of its written form."""
    spelling = _plain(code or unit)
    return _EXACT.get(spelling) or _one_case(spelling) or spelling


def is_known(key: str) -> bool:
    """Return whether a key of `unit_key` is a unit that is known here, and not only some text."""
    return key in _CODES


def _one_case(spelling: str) -> str:
    """The unit of a spelling in capitals alone (UCUM's other form) or in small letters alone; "" for others.

    "Mmol/L" stays what it is. A single letter does, too: M is not m. So does G/L: grams, or 10*9 in France.
    """
    if len(spelling) > 1 and spelling != "G/L" and spelling in (spelling.upper(), spelling.lower()):
        return _FOLDED.get(spelling.casefold(), "")
    return ""


def _plain(text: str) -> str:
    """Without white space. Micro as "u", litres as "L", powers as numbers, also of ten, as UCUM has them."""
    text = _MICRO.sub("u", "".join(text.split())).translate(_SUPERSCRIPTS)
    text = unicodedata.normalize("NFC", text)
    text = _TEN.sub(r"10*\1", text.replace("1,73", "1.73"))
    return _INTERNATIONAL.sub(r"\1[IU]", _MICROGRAM.sub("u", _LITRE.sub(r"\1L", text)))


_EXACT = _table()
_COMMON = """
mmol/L umol/L nmol/L pmol/L mg/dL g/dL ug/dL ng/dL ng/mL pg/mL ug/mL mg/mL mg/L g/L ug/L U/L meq/L
m[IU]/L [IU]/L [IU]/mL kg g mg cm m mm mL L s ms Hz fL pg nmol/mL mmol/mol mm/h kg/m2 mm[Hg] % /min
"""
_CODES = frozenset((*_EXACT.values(), *(_EXACT.get(_plain(one), one) for one in _COMMON.split())))
_FOLDED: dict[str, str] = {}
for _one in (*_EXACT, *_COMMON.split()):
    _FOLDED.setdefault(_plain(_one).casefold(), _EXACT.get(_plain(_one), _one))
