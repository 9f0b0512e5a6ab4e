"""A search in opened descriptions: case, accents, all words, period, author; nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.template.defaultfilters import date as date_filter
from django.utils.timezone import localtime
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from records.kinds import KINDS
from records.services.export_names import ExportNames
from records.services.searching import Filter, choose_records, day_of, fold, in_order
from records.shapes import RecordView

ASHA, AMARA, RUBY = "0xA1", "0xB2", "0xC3"
REPORT = RecordView(
    record="0x1",
    patient=ASHA,
    patient_name="Asha Verma",
    author=AMARA,
    author_name="Dr. Amara Ökafor",
    via=RUBY,
    via_name="Ruby Hospital",
    folder=1,
    folder_name="General",
    version=1,
    title="Röntgen: café au lait STRASSE",
    kind="11502-2",
    kind_name=KINDS["11502-2"],
    service_date=date(2026, 3, 2),
    file_name="blood-report.pdf",
    media_type="application/pdf",
    size=1,
    state="confirmed",
    act="",
    error="",
    block_number=1,
    tx_hash="",
    can_write=False,
    closed="",
    created_at=datetime(2026, 3, 5, tzinfo=UTC),
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rontgen",
        "RÖNTGEN",
        "CAFE\u0301",
        "straße",
        "blood report.pdf",
        "laboratory",
        "okafor ruby",
        "  lait  cafe ",
    ],
)
def test_every_word_is_found_whatever_its_case_and_accents(text: str) -> None:
    assert choose_records([REPORT], Filter(text=text)) == [REPORT]


@pytest.mark.parametrize("text", ["x-ray", "rontgen x-ray", "0x1", "general", "asha", "%", "_", ".*"])
def test_what_is_not_said_is_not_found(text: str) -> None:
    assert choose_records([REPORT], Filter(text=text)) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(kind="11502-2"), True),
        (Filter(kind="18748-4"), False),
        (Filter(since=date(2026, 3, 2), until=date(2026, 3, 2)), True),
        (Filter(since=date(2026, 3, 3)), False),
        (Filter(until=date(2026, 3, 1)), False),
        (Filter(author=AMARA), True),
        (Filter(author=RUBY), True),
        (Filter(author=ASHA), False),
        (Filter(folder=1), True),
        (Filter(folder=0), False),
    ],
)
def test_each_filter_narrows(wanted: Filter, found: bool) -> None:
    assert (choose_records([REPORT], wanted) == [REPORT]) is found


def test_a_record_without_a_date_of_service_stands_where_it_was_received() -> None:
    undated = replace(REPORT, record="0x2", service_date=None)
    older = replace(REPORT, record="0x3", service_date=date(2024, 1, 1))
    assert [each.record for each in in_order([older, REPORT, undated])] == ["0x2", "0x1", "0x3"]
    assert choose_records([undated], Filter(since=date(2026, 3, 5))) == [undated]


@given(st.text(max_size=60))
def test_a_title_is_found_by_its_own_words(title: str) -> None:
    record = replace(REPORT, title=title)
    assert choose_records([record], Filter(text=title.upper()[:200])) == [record] or fold(
        title.upper()
    ) != fold(title)
    assert fold(fold(title)) == fold(title)


@pytest.mark.parametrize(
    ("zone", "day"), [("Asia/Tokyo", "2026-03-02"), ("UTC", "2026-03-01"), ("America/New_York", "2026-03-01")]
)
def test_a_moment_is_the_same_day_wherever_it_is_named(zone: str, day: str, settings: Settings) -> None:
    """Late in the evening of UTC it is tomorrow in Tokyo: on the page, in the list's order, in the ZIP."""
    settings.TIME_ZONE = zone
    received = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    record: Any = SimpleNamespace(service_date=None, created_at=received, folder=1, folder_name="Inbox")
    version: Any = SimpleNamespace(
        service_date=None,
        created_at=received,
        title="Letter",
        file_name="letter.pdf",
        media_type="",
        number=1,
    )
    assert day_of(record).isoformat() == day
    assert f"/{day} Letter" in ExportNames().take(record, version, numbered=False)
    assert date_filter(localtime(received), "Y-m-d") == day
