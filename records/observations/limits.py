"""Which numbers of a common measurement can be, and which are asked back.

Outside `least` to `most` no living person has been measured: a number is mistyped, or has another unit.
Outside `low` to `high` it happens, and one asks. They catch slips of the hand, and judge nobody's health.

Sources. What can be: the extremes that were reported of people who lived, with room beyond them. Blood
pressure 480/350 at weight lifting (MacDougall 1985), heart rate 600 (Chhabra 2012), body temperature 11.8
and 46.5 °C, body weight 635 kg, body height 272 cm, blood sugar 147.6 mmol/L, sodium 196 mmol/L, potassium
14 mmol/L. What is usual: the critical limits of laboratories (Kost, JAMA 1990; Royal College of Pathologists,
G158, 2017), with room, so that few are asked.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from records.observations.units import unit_key


@dataclass(frozen=True)
class Limits:
    """The ends of what can be, and of what is usual. Both belong to it."""

    least: Decimal
    low: Decimal
    high: Decimal
    most: Decimal


ODD, IMPOSSIBLE = "odd", "impossible"

_TABLE = """
8480-6   mm[Hg]  20  60  260  500
8462-4   mm[Hg]  5  30  160  400
8867-4   /min  5  30  220  650
29463-7  kg  0.2  1.5  250  700
29463-7  [lb_av]  0.4  3  550  1550
8302-2   cm  15  40  220  280
8302-2   [in_i]  6  16  87  110
39156-5  kg/m2  5  10  70  250
8310-5   Cel  10  33  42  47
8310-5   [degF]  50  91  108  117
59408-5  %  1  60  100  100
2345-7   mg/dL  1  30  600  3000
14749-6  mmol/L  0.05  1.6  33  170
4548-4   %  1  3.5  18  30
59261-8  mmol/mol  1  15  175  305
2093-3   mg/dL  5  50  500  3000
14647-2  mmol/L  0.1  1.3  13  80
2089-1   mg/dL  0  10  400  2500
22748-8  mmol/L  0  0.25  10.5  65
2085-9   mg/dL  0  10  150  400
14646-4  mmol/L  0  0.25  4  11
2571-8   mg/dL  1  20  2000  30000
14927-8  mmol/L  0.01  0.2  23  340
2160-0   mg/dL  0.01  0.2  15  60
14682-9  umol/L  1  15  1300  5300
62238-1  mL/min/{1.73_m2}  0  3  160  300
718-7    g/dL  0.3  4  22  30
59260-0  mmol/L  0.2  2.5  13.7  19
26464-8  10*9/L  0  0.5  100  2000
26515-7  10*9/L  0  10  1500  5000
3016-3   m[IU]/L  0  0  150  2000
1988-5   mg/L  0  0  500  1500
62292-8  ng/mL  0  3  150  1500
68438-1  nmol/L  0  7  375  3750
2276-4   ng/mL  0  1  5000  500000
2823-3   mmol/L  0.5  2.2  7.5  20
2951-2   mmol/L  70  110  170  250
"""
LIMITS: Final = {
    (code, unit_key(unit, "")): Limits(*map(Decimal, numbers))
    for code, unit, *numbers in (line.split() for line in _TABLE.strip().splitlines())
}


def judge(code: str, unit_code: str, unit: str, number: Decimal, comparator: str = "") -> str:
    """ODD, IMPOSSIBLE, or "" for a usual number and for what has no limits here.

    `< 0.3` says only where a number ends: it is impossible where all that it leaves open is.
    """
    limits = LIMITS.get((code, unit_key(unit_code, unit)))
    if limits is None:
        return ""
    open_below, open_above = comparator.startswith("<"), comparator.startswith(">")
    if (number < limits.least and not open_above) or (number > limits.most and not open_below):
        return IMPOSSIBLE
    if (number < limits.low and not open_above) or (number > limits.high and not open_below):
        return ODD
    return ""
