"""Rules that every template keeps: short lines, badges from one tag, one word for the chain."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accounts.templatetags.state_badges import BADGES, IN_FULL, SPINNER, badge, days_badge, state_badge
from chain.models import ActState
from records.models import EmailRequest, Request
from records.observations.series import Series
from records.templatetags.history_icons import ICONS

ROOT = Path(settings.BASE_DIR)
LONGEST = 120
WORDS = re.compile(r"\bledger\b", re.IGNORECASE)
ICONS_CSS = ROOT / "node_modules/bootstrap-icons/font/bootstrap-icons.min.css"


def templates() -> list[Path]:
    found = [path for path in (ROOT / "templates").rglob("*") if path.is_file()]
    assert len(found) > 100
    return found


def lines() -> Iterator[tuple[str, str]]:
    """Yield each line of each template with its place."""
    for path in templates():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def test_no_line_of_a_template_is_longer_than_120_characters() -> None:
    assert [place for place, line in lines() if len(line) > LONGEST] == []


def test_badges_come_from_the_tag_alone() -> None:
    own = [place for place, line in lines() if re.search(r'class="state\b', line)]
    assert [place.rpartition(":")[0] for place in own] == ["templates/badge.html"]


def test_one_word_stands_for_the_chain() -> None:
    code = [path for app in ("accounts", "chain", "records", "medrec") for path in (ROOT / app).rglob("*.py")]
    assert [path for path in [*templates(), *code] if WORDS.search(path.read_text())] == []


@pytest.mark.parametrize(
    "state", sorted({*ActState.values, *Request.State.values, *EmailRequest.State.values})
)
def test_every_state_has_a_badge(state: str) -> None:
    assert state in BADGES


def test_every_icon_is_one_of_bootstraps() -> None:
    named = {look.icon for look in [*BADGES.values(), *IN_FULL.values()]} - {"", SPINNER} | set(
        ICONS.values()
    )
    css = ICONS_CSS.read_text()
    assert [icon for icon in named if f".bi-{icon}::before" not in css] == []


def test_every_colour_stands_in_the_style_sheet() -> None:
    css = (ROOT / "medrec/static_src/medrec/theme.css").read_text()
    colours = {look.colour for look in [*BADGES.values(), *IN_FULL.values()]} - {""}
    assert [colour for colour in colours if f".state-{colour}" not in css] == []


def test_a_badge_polls_only_while_its_act_waits() -> None:
    assert state_badge("waiting", "some-act")["poll"] == "some-act"
    assert state_badge("confirmed", "some-act")["poll"] == ""
    assert state_badge("waiting", full=True)["badge"].label == "Waiting for confirmation"
    assert state_badge("affiliated, waits for the keys")["badge"].colour == "waiting"
    assert state_badge("suspended")["badge"].colour == "quiet"
    assert badge("HH", "failed", isolated=True)["isolated"]
    assert days_badge(1)["badge"].label == "1 day left"
    assert (days_badge(3)["badge"].colour, days_badge(4)["badge"].colour) == ("waiting", "")


def test_a_chart_says_what_it_shows() -> None:
    assert Series("Weight", "kg", ()).chart_label == "Trend of Weight, kg: 0 values"
    assert Series("Weight", "", ()).chart_label == "Trend of Weight: 0 values"
