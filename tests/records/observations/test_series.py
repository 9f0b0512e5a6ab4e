"""Observations gathered into series, and series drawn."""

from decimal import Decimal

from records.observations.charts import BOTTOM, LEFT, POINTS_MAX, RIGHT, TOP, draw_chart
from records.observations.known import BLOOD_PRESSURE, DIASTOLIC, SYSTOLIC
from records.observations.model import Amount, Observation, Part, Range
from records.observations.moments import parse_moment
from records.observations.series import Series, Source, gather_series

SOURCE = Source("0x1", "Check-up", "Asha Verma")


def glucose(value: str, when: str | None, unit: str = "mg/dL", **more: str) -> Observation:
    """A glucose."""
    amount = Amount(Decimal(value), unit=unit, unit_code=unit, **more)
    moment = parse_moment(when) if when else None
    return Observation("2345-7", "Glucose", moment, (Part("2345-7", "Glucose", amount),))


def pressure(systolic: int, diastolic: int, when: str, *names: str) -> Observation:
    """A blood pressure."""
    upper, lower = names or ("Systolic", "Diastolic")
    unit = {"unit": "mmHg", "unit_code": "mm[Hg]"}
    parts = (
        Part(SYSTOLIC, upper, Amount(Decimal(systolic), **unit)),
        Part(DIASTOLIC, lower, Amount(Decimal(diastolic), **unit)),
    )
    return Observation(BLOOD_PRESSURE, "Blood pressure", parse_moment(when), parts)


def series_of(*found: Observation) -> list[Series]:
    """Gathered from one record."""
    return gather_series((one, SOURCE) for one in found)


def test_different_units_are_different_series() -> None:
    found = series_of(glucose("90", "2025"), glucose("5.0", "2026", "mmol/L"), glucose("95", "2026"))
    assert [(each.unit, len(each.rows)) for each in found] == [("mmol/L", 1), ("mg/dL", 2)]


def test_units_that_are_the_same_number_are_one_series() -> None:
    found = series_of(glucose("250", "2025", "10*3/uL"), glucose("260", "2026", "10*9/L"))
    assert [len(each.rows) for each in found] == [2]


def test_the_latest_is_the_newest_by_its_date_and_undated_is_last() -> None:
    (found,) = series_of(glucose("1", None), glucose("2", "2026-03"), glucose("3", "2026-02-28"))
    assert [row.figures for row in found.rows] == ["2", "3", "1"]


def test_words_stand_with_the_numbers_but_not_in_the_chart() -> None:
    words = Observation(
        "2345-7", "Glucose", parse_moment("2026-05"), (Part("2345-7", "Glucose", Amount(words="low")),)
    )
    below = glucose("40", "2026-04", comparator="<")
    (found,) = series_of(glucose("90", "2025"), glucose("95", "2026"), words, below)
    assert [row.figures for row in found.rows] == ["low", "< 40", "95", "90"]
    chart = draw_chart(found)
    assert chart is not None
    assert len(chart.lines[0].points) == 2


def test_a_blood_pressure_is_one_row_and_two_lines() -> None:
    (found,) = series_of(pressure(120, 80, "2025-01-01"), pressure(130, 85, "2026-01-01"))
    assert found.latest.figures == "130/85"
    chart = draw_chart(found)
    assert chart is not None
    assert [line.name for line in chart.lines] == ["Systolic", "Diastolic"]


def test_other_names_of_one_code_are_one_line() -> None:
    (found,) = series_of(
        pressure(120, 80, "2025-01-01"),
        pressure(130, 85, "2026-01-01", "Systolic blood pressure", "Diastolic blood pressure"),
    )
    chart = draw_chart(found)
    assert chart is not None
    assert [(line.name, len(line.points)) for line in chart.lines] == [("Systolic", 2), ("Diastolic", 2)]


def test_there_is_room_for_the_figures_on_the_axis() -> None:
    (found,) = series_of(glucose("980000000", "2025", "IU/mL"), glucose("20", "2026", "IU/mL"))
    chart = draw_chart(found)
    assert chart is not None
    assert chart.y_ticks[-1].words == "1000000000"
    assert chart.figures_end >= 8 * len("1000000000")
    assert min(point.x for point in chart.lines[0].points) == chart.left


def test_a_systolic_by_itself_joins_the_blood_pressures() -> None:
    alone = Observation(
        SYSTOLIC,
        "Systolic blood pressure",
        parse_moment("2026-02"),
        (Part(SYSTOLIC, "Systolic", Amount(Decimal(125), unit="mmHg", unit_code="mm[Hg]")),),
    )
    (found,) = series_of(pressure(120, 80, "2025-01-01"), alone)
    assert [row.figures for row in found.rows] == ["125", "120/80"]


def test_one_moment_is_no_trend() -> None:
    (found,) = series_of(glucose("90", "2026-01-01"), glucose("95", "2026-01-01"))
    assert draw_chart(found) is None


def test_every_point_lies_within_the_axes_whatever_the_numbers() -> None:
    for values in (
        ["0", "0"],
        ["-5", "7"],
        ["0.000001", "0.000002"],
        ["999999999999999", "1"],
        ["5.40", "5.41"],
    ):
        for dates in (["1880", "2199"], ["2026-01-01", "2026-01-02"], ["2026-01-31", "2026-04-02"]):
            rows = [glucose(value, when, "titer") for value, when in zip(values, dates, strict=True)]
            (found,) = series_of(*rows)
            chart = draw_chart(found)
            assert chart is not None
            for point in chart.lines[0].points:
                assert LEFT <= point.x <= RIGHT
                assert TOP - 0.01 <= point.y <= BOTTOM + 0.01
            assert 1 <= len(chart.x_ticks) <= 7
            assert 2 <= len(chart.y_ticks) <= 8
            assert len({tick.words for tick in chart.y_ticks}) == len(chart.y_ticks)


def test_a_reference_range_is_a_band_that_the_axis_cuts() -> None:
    part = Part(
        "2345-7",
        "Glucose",
        Amount(Decimal(90), unit="mg/dL", unit_code="mg/dL"),
        Range(Decimal(70), Decimal(100)),
    )
    newest = Observation("2345-7", "Glucose", parse_moment("2026"), (part,))
    (found,) = series_of(glucose("80", "2025"), newest)
    chart = draw_chart(found)
    assert chart is not None
    assert chart.band is not None
    assert chart.band[0] >= TOP
    assert chart.band[0] + chart.band[1] <= BOTTOM + 0.01


def test_a_chart_shows_the_newest_points_and_says_that_it_is_cut() -> None:
    dates = [f"{1900 + n // 12}-{n % 12 + 1:02}" for n in range(POINTS_MAX + 5)]
    (found,) = series_of(*[glucose("90", when) for when in dates])
    chart = draw_chart(found)
    assert chart is not None
    assert chart.cut
    assert len(chart.lines[0].points) == POINTS_MAX
    assert not chart.focusable
