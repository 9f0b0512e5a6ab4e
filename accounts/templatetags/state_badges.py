"""The tags for badges: label, icon and colour of every state, in one place."""

from dataclasses import dataclass
from typing import Any

from django import template

register = template.Library()

SPINNER = "spinner"


@dataclass(frozen=True)
class Badge:
    """How a state looks. `colour` is a class of theme.css without its "state-", `icon` one of Bootstrap's."""

    label: str
    colour: str = ""
    icon: str = ""


BADGES = {
    # acts and records
    "waiting": Badge("Waiting", "waiting", "hourglass-split"),
    "confirmed": Badge("Confirmed", "confirmed", "check2"),
    "returned": Badge("Returned", "returned", "arrow-return-left"),
    "failed": Badge("Failed", "failed", "x-lg"),
    # requests
    "sent": Badge("Sent"),
    "open": Badge("Waits for an answer"),
    "granted": Badge("Granted", "confirmed", "unlock"),
    "denied": Badge("Denied", "failed"),
    "withdrawn": Badge("Withdrawn", "quiet"),
    "expired": Badge("Expired", "quiet"),
    # institutions and their doctors
    "admitted": Badge("admitted", "confirmed"),
    "affiliated": Badge("affiliated", "confirmed"),
}
IN_FULL = {
    "waiting": Badge("Waiting for confirmation", "waiting", SPINNER),
    "returned": Badge("Handed back", "returned", "arrow-return-left"),
}
"""Where there is room for more words."""


@register.inclusion_tag("badge.html")
def state_badge(state: str, act: str = "", element_id: str = "", *, full: bool = False) -> dict[str, Any]:
    """Show a state. With the id of its act it polls while it waits, and stops by itself once it is settled.

    A state that is not listed tells itself: what has to wait is coloured so, the rest is quiet.
    """
    told = Badge(state, "waiting" if "wait" in state else "quiet")
    look = (IN_FULL.get(state) if full else None) or BADGES.get(state, told)
    return {"badge": look, "element_id": element_id, "poll": act if state == "waiting" else ""}


@register.inclusion_tag("badge.html")
def badge(text: object, colour: str = "", *, isolated: bool = False) -> dict[str, Any]:
    """Show a word beside something. `isolated`: it comes from outside and may be of any script."""
    return {"badge": Badge(str(text), colour), "isolated": isolated}


@register.inclusion_tag("badge.html")
def days_badge(days: int) -> dict[str, Any]:
    """Show how many days an access still lasts; the last three stand out."""
    label = "1 day left" if days == 1 else f"{days} days left"
    return {"badge": Badge(label, "waiting" if days < 4 else "")}
