"""How the operations page writes times and money."""

from decimal import Decimal

from django import template

register = template.Library()

_WEI = Decimal(10) ** 18


@register.filter
def duration(seconds: float) -> str:
    """12 s, 3 min, 2 h 5 min, 4 days."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 2 * 3600:
        return f"{whole // 60} min"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days"


@register.filter
def grouped(number: int) -> str:
    """19,482,113."""
    return f"{number:,}"


@register.filter
def ether(wei: Decimal | int | None) -> str:
    """Wei as ether, with as many digits as tell something."""
    if wei is None:
        return "not read yet"
    amount = wei / _WEI
    return f"{amount:,.2f} ether" if amount >= 100 else f"{amount:,.6f} ether"


@register.filter
def days(left: float) -> str:
    """Days that a balance lasts; beyond a year nobody counts."""
    if left * 24 < 1.5:
        return "about an hour" if left * 24 >= 0.5 else "minutes"
    if left < 2:
        return f"{left * 24:.0f} hours"
    if left > 365:
        return "more than a year"
    return f"{left:.1f} days" if left < 10 else f"{left:.0f} days"
