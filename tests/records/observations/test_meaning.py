"""Everything that changes what a value means is shown or named."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.observations.charts import draw_chart
from records.observations.flags import MEANINGS
from records.observations.limits import IMPOSSIBLE, LIMITS, ODD, judge
from records.observations.model import UCUM, Observation
from records.observations.reading import BadBundle, Reading, read_observations
from records.observations.series import Series, gather_series
from records.observations.units import unit_key
from tests.records.observations.test_reading import WEIGHT, bundle, only, weight
from tests.records.observations.test_series import SOURCE

V3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
GLUCOSE = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "14749-6"}], "text": "Glucose"},
    "effectiveDateTime": "2026-03-01T08:00:00Z",
    "valueQuantity": {"value": 5.4, "unit": "mmol/L"},
}


def flagged(code: str, **changes: Any) -> dict[str, Any]:
    """A glucose with a flag of the laboratory."""
    return GLUCOSE | {"interpretation": [{"coding": [{"system": V3, "code": code}]}]} | changes


def series_of(*resources: dict[str, Any], now: datetime | None = None) -> list[Series]:
    """Read and gathered."""
    read = read_observations(bundle(*resources), strict=True, now=now)
    return gather_series((one, SOURCE) for one in read.observations)


def about(patient: str, **changes: Any) -> dict[str, Any]:
    """A glucose of somebody."""
    return GLUCOSE | {"subject": {"reference": patient}} | changes


def words(one: Observation) -> str:
    """Return the text of a table's line."""
    return " | ".join(
        " ".join([row.figures, *map(str, row.flags), row.sides, *row.remarks, str(row.range or "")])
        for row in one.rows
    )


@pytest.mark.parametrize(("code", "meaning"), [("HH", "critically high"), ("H", "high"), ("A", "abnormal")])
def test_a_flag_stands_with_its_value_in_table_trend_and_chart(code: str, meaning: str) -> None:
    one = only(bundle(flagged(code)))
    assert f"{code} {meaning}" in words(one)
    (series,) = series_of(flagged(code), GLUCOSE | {"effectiveDateTime": "2026-02-01"})
    assert [str(flag) for flag in series.latest.flags] == [f"{code} {meaning}"]
    chart = draw_chart(series)
    assert chart is not None
    assert [point.flags for point in chart.lines[0].points] == ["", f"{code} {meaning}"]
    assert f"{code} {meaning}" in chart.lines[0].points[1].all_words


def test_every_flag_of_the_standard_has_words() -> None:
    for code, meaning in MEANINGS.items():
        assert words(only(bundle(flagged(code)))).startswith(f"5.4 {code} {meaning}")


@pytest.mark.parametrize(
    ("interpretation", "shown"),
    [
        ({"text": "borderline"}, "5.4 borderline"),
        ({"coding": [{"system": V3, "code": "H"}], "text": "much too high"}, "5.4 H high: much too high"),
        ({"coding": [{"system": "http://lab.example", "code": "X7"}]}, "5.4 X7"),
        ({"coding": [{"system": "http://lab.example", "code": "H", "display": "Heparin"}]}, "5.4 H Heparin"),
        ({"coding": [{"code": "L"}]}, "5.4 L low"),
    ],
)
def test_flags_of_other_systems_are_said_as_they_are(interpretation: dict[str, Any], shown: str) -> None:
    assert words(only(bundle(GLUCOSE | {"interpretation": [interpretation]}))).strip() == shown


def test_flags_of_words_and_of_components_are_shown() -> None:
    fields = {name: each for name, each in flagged("POS").items() if name != "valueQuantity"}
    assert "Positive POS positive" in words(only(bundle(fields | {"valueString": "Positive"})))
    part = {
        "code": {"text": "Part"},
        "valueQuantity": {"value": 1, "unit": "g"},
        "interpretation": [{"coding": [{"system": V3, "code": "LL"}]}],
    }
    panel = fields | {"component": [part, part | {"interpretation": []}]}
    first, second = words(only(bundle(panel))).split(" | ")
    assert "POS positive" in first
    assert "LL critically low" in first
    assert "POS positive" in second
    assert "LL" not in second


def test_a_flag_and_the_range_do_not_say_the_same_twice() -> None:
    high = [{"high": {"value": 5, "unit": "mmol/L"}}]
    assert only(bundle(flagged("HH", referenceRange=high))).parts[0].side == ""
    assert only(bundle(flagged("N", referenceRange=high))).parts[0].side == "above"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "preliminary"}, "preliminary, it may still change"),
        ({"status": "corrected"}, "corrected after it was final"),
        ({"status": "amended"}, "amended after it was final"),
        ({"status": "registered"}, "not yet ready"),
        ({"status": "unknown"}, "state not known"),
        ({"bodySite": {"text": "left arm"}}, "body site: left arm"),
        ({"method": {"coding": [{"code": "m", "display": "glucometer"}]}}, "method: glucometer"),
        ({"device": {"display": "Accu 7"}}, "device: Accu 7"),
        ({"specimen": {"display": "urine"}}, "specimen: urine"),
        ({"dataAbsentReason": {"coding": [{"code": "error"}]}}, "said to be missing: error"),
        ({"valueQuantity": {"value": 5.4, "comparator": "<", "unit": "mmol/L"}}, "< 5.4"),
        (
            {"referenceRange": [{"text": "fasting", "high": {"value": 6, "unit": "mmol/L"}}]},
            "up to 6 (fasting)",
        ),
        ({"related": [{"type": "interfered-by", "target": {"reference": "x"}}]}, "something interfered"),
        ({"effectiveDateTime": "2026-03-01T08:00:00"}, "the time has no time zone"),
    ],
)
def test_what_limits_a_value_stands_with_it(changes: dict[str, Any], said: str) -> None:
    assert said in words(only(bundle(GLUCOSE | changes)))


UNKNOWN = [{"url": "http://example.org/not-really", "valueBoolean": True}]


@pytest.mark.parametrize(
    "changes",
    [
        {"modifierExtension": UNKNOWN},
        {"implicitRules": "http://example.org/rules"},
        {"component": [{"code": {"text": "x"}, "valueString": "y", "modifierExtension": UNKNOWN}]},
        {"referenceRange": [{"text": "x", "modifierExtension": UNKNOWN}]},
        {"focus": [{"reference": "Patient/child"}]},
        {"subject": {"reference": "Group/5"}},
        {"subject": {"reference": "urn:x:pump", "type": "Device"}},
        {
            "valueQuantity": {
                "value": 5,
                "unit": "mg/dL",
                "system": "http://unitsofmeasure.org",
                "code": "mmol/L",
            }
        },
        {"valueQuantity": {"value": 5, "comparator": "ad", "unit": "mg"}},
    ],
)
def test_what_cannot_be_said_is_not_shown_as_a_plain_value(changes: dict[str, Any]) -> None:
    found = read_observations(bundle(GLUCOSE | changes, GLUCOSE))
    assert len(found.observations) == 1
    assert len(found.problems) == 1
    assert found.problems[0].startswith("Entry 1, ")


def test_a_bundle_with_rules_of_its_own_is_refused() -> None:
    with pytest.raises(BadBundle, match="changes what the value means"):
        read_observations(bundle(GLUCOSE, implicitRules="http://example.org/rules"))


ONE, TWO = {"resourceType": "Patient", "id": "one"}, {"resourceType": "Patient", "id": "two"}


@pytest.mark.parametrize(
    "resources",
    [
        [ONE, TWO, about("Patient/one"), about("Patient/two")],
        [about("https://a.example/Patient/1"), about("https://b.example/Patient/1")],
        [about("Patient/1"), GLUCOSE | {"subject": {"display": "Ben Carter"}}],
        [GLUCOSE | {"subject": {"display": name}} for name in ("Ada", "Ben")],
        [GLUCOSE | {"subject": {"identifier": {"system": "urn:x", "value": n}}} for n in ("1", "2")],
        [
            GLUCOSE | {"subject": {"reference": "#p"}, "contained": [ONE | {"id": "p", "birthDate": born}]}
            for born in ("1980-01-01", "1990-01-01")
        ],
    ],
)
def test_two_people_share_no_file(resources: list[dict[str, Any]]) -> None:
    found = read_observations(bundle(*resources))
    assert found.observations == []
    assert "holds measurements of 2 people" in found.problems[0]
    with pytest.raises(BadBundle, match="2 people"):
        read_observations(bundle(*resources), strict=True)


@pytest.mark.parametrize(
    "resources",
    [
        [ONE, TWO, about("Patient/one"), about("Patient/one")],
        [ONE, about("Patient/one"), about("Patient/one/_history/2"), GLUCOSE],
        [about("https://a.example/fhir/Patient/1"), about("Patient/1")],
        [
            ONE | {"identifier": [{"system": "urn:x", "value": "7"}]},
            about("Patient/one"),
            GLUCOSE | {"subject": {"identifier": {"system": "urn:x", "value": "7"}}},
        ],
        [
            GLUCOSE
            | {"subject": {"reference": f"#{name}"}, "contained": [ONE | {"id": name, "gender": "male"}]}
            for name in "ab"
        ],
        [GLUCOSE | {"subject": {"display": "Ada"} | more} for more in ({"reference": "Patient/1"}, {})],
    ],
)
def test_one_person_under_several_addresses_is_one(resources: list[dict[str, Any]]) -> None:
    found = read_observations(bundle(*resources), strict=True)
    assert len(found.observations) == sum(one["resourceType"] == "Observation" for one in resources)


def test_five_thousand_subjects_are_told_apart_in_a_walk() -> None:
    """Each subject is looked up, none compared with all others."""
    found = read_observations(bundle(*[about(f"Patient/{n}") for n in range(5000)]))
    assert "5000 people" in found.problems[0]


def test_the_file_says_whose_it_is() -> None:
    named = ONE | {"name": [{"given": ["Ada"], "family": "Byron"}], "birthDate": "1815-12-10"}
    assert read_observations(bundle(named, about("Patient/one"))).about == "Ada Byron, born 1815-12-10"


def test_the_body_site_makes_a_series_and_common_measurements_keep_one() -> None:
    pressure = GLUCOSE | {"code": {"text": "Eye pressure"}, "valueQuantity": {"value": 15, "unit": "mm[Hg]"}}
    eyes = [pressure | {"bodySite": {"text": side}} for side in ("left eye", "right eye")]
    assert [each.name for each in series_of(*eyes)] == ["Eye pressure, left eye", "Eye pressure, right eye"]
    arms = [GLUCOSE | {"bodySite": {"text": side}} for side in ("left arm", "right arm")]
    (series,) = series_of(*arms)
    assert {row.remarks for row in series.rows} == {("body site: left arm",), ("body site: right arm",)}


SPELLINGS = [
    ["mmol/L", "mmol/l", "MMOL/L", "mmol / l"],
    ["mm[Hg]", "mmHg", "mm Hg", "MM[HG]", "mmhg"],
    ["10*9/L", "10^9/l", "10⁹/L", "x10^9/L", "10*3/uL", "10³/µL", "K/uL"],
    ["ug/L", "µg/l", "μg/L", "mcg/L", "ng/mL"],
    ["m[IU]/L", "mIU/L", "MIU/L", "uIU/mL"],
    ["mL/min/{1.73_m2}", "mL/min/1.73 m²", "ml/min/1,73m2"],
    ["Cel", "°C", "℃"],
    ["/min", "bpm", "1/min", "beats/minute"],
    ["kg/m2", "kg/m²", "kg/m^2"],
]


@pytest.mark.parametrize("spellings", SPELLINGS)
def test_the_spelling_of_a_unit_makes_no_series(spellings: list[str]) -> None:
    quantities = [{"value": 5, "unit": one} for one in spellings]
    quantities.append({"value": 5, "unit": "?", "system": UCUM, "code": spellings[0]})
    found = series_of(*[GLUCOSE | {"valueQuantity": each} for each in quantities])
    assert [len(series.rows) for series in found] == [len(quantities)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mmol/L", "mg/dL"), ("mg", "Mg"), ("mL/min", "mL/min/{1.73_m2}"), ("G/L", "g/L"), ("G/L", "10*9/L"),
        ("mm", "Mm"), ("[IU]/L", "U/L"), ("mmol/L", "Mmol/L"), ("M", "m"),
    ],
)  # fmt: skip
def test_units_that_are_not_the_same_stay_apart(one: str, other: str) -> None:
    assert unit_key("", one) != unit_key("", other)


NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_what_is_dated_in_the_future_is_said_and_is_neither_the_latest_nor_drawn() -> None:
    rows = [GLUCOSE | {"effectiveDateTime": day} for day in ("2030-01-01", "2026-03-01", "2026-02-01")]
    (series,) = series_of(*rows, now=NOW)
    assert str(series.latest.when) == "1 Mar 2026"
    assert [row.ahead for row in series.rows] == [True, False, False]
    assert series.left_out == 1
    chart = draw_chart(series)
    assert chart is not None
    assert len(chart.lines[0].points) == 2
    tomorrow = GLUCOSE | {"effectiveDateTime": "2026-06-02T11:59:00Z"}
    assert not series_of(tomorrow, now=NOW)[0].latest.ahead


@pytest.mark.parametrize(
    ("code", "unit", "number", "doubt"),
    [
        ("8310-5", "°C", "370", IMPOSSIBLE), ("8310-5", "°C", "36.6", ""), ("8310-5", "°C", "43", ODD),
        ("8867-4", "bpm", "0", IMPOSSIBLE), ("8302-2", "cm", "-170", IMPOSSIBLE), ("8302-2", "m", "1.7", ""),
        ("8480-6", "mmHg", "12000", IMPOSSIBLE), ("59408-5", "%", "101", IMPOSSIBLE),
        ("14749-6", "mmol/l", "540", IMPOSSIBLE), ("29463-7", "kg", "72", ""), ("x", "kg", "-1", ""),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_told_from_those_that_hardly_can(
    code: str, unit: str, number: str, doubt: str
) -> None:
    assert judge(code, "", unit, Decimal(number)) == doubt


def test_limits_stand_in_order_and_a_comparator_leaves_its_end_open() -> None:
    for limits in LIMITS.values():
        assert limits.least <= limits.low < limits.high <= limits.most
    assert judge("8310-5", "", "°C", Decimal(370), "<") == ""
    assert judge("8310-5", "", "°C", Decimal(370), ">") == IMPOSSIBLE


def test_what_cannot_be_is_shown_with_that_word_and_not_drawn() -> None:
    values = [GLUCOSE | {"valueQuantity": {"value": n, "unit": "mmol/L"}} for n in (5, 6, 5400)]
    dated = [one | {"effectiveDateTime": f"2026-0{n}-01"} for n, one in enumerate(values, start=1)]
    (series,) = series_of(*dated)
    assert [row.doubt for row in series.rows] == [IMPOSSIBLE, "", ""]
    chart = draw_chart(series)
    assert chart is not None
    assert len(chart.lines[0].points) == 2


def test_ndjson_is_read_line_by_line() -> None:
    lines = [json.dumps(GLUCOSE), "", "{broken", json.dumps(WEIGHT), json.dumps(ONE)]
    found = read_observations("\r\n".join(lines).encode())
    assert (len(found.observations), found.not_shown, found.lines) == (2, 1, True)
    assert found.problems == ["Line 3: it is not JSON."]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<Bundle/>", "XML"),
        (b"MSH|^~", "HL7"),
        (b"{", "not JSON"),
        (b"{}\n{}", "not JSON"),
        (b"\xff", "UTF-8"),
    ],
)
def test_other_files_are_refused_in_plain_words(data: bytes, said: str) -> None:
    with pytest.raises(BadBundle, match=said):
        read_observations(data)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"comments": "fasting"}, "fasting"),  # DSTU2
        ({"comment": "fasting", "context": {"reference": "Encounter/1"}}, "fasting"),  # STU3
        ({"interpretation": {"coding": [{"system": "http://hl7.org/fhir/v2/0078", "code": "H"}]}}, "H high"),
        ({"referenceRange": [{"meaning": {"text": "normal"}, "high": {"value": 5}}]}, "up to 5"),
        ({"bodyStructure": {"display": "stent"}}, "body structure: stent"),  # R5
        ({"triggeredBy": [{"observation": {"reference": "Observation/1"}, "type": "reflex"}]}, "5.4"),
        ({"reliability": "questionable"}, "reliability: questionable"),  # DSTU1
    ],
)
def test_other_releases_are_read(changes: dict[str, Any], shown: str) -> None:
    one = only(bundle(GLUCOSE | changes))
    assert shown in f"{words(one)} {one.note}"
    assert one.when is not None


def test_a_file_instead_of_a_value_is_named() -> None:
    fields = {name: each for name, each in GLUCOSE.items() if name != "valueQuantity"}
    assert "a file, not shown" in words(only(bundle(fields | {"valueAttachment": {"title": "x"}})))


def test_a_time_without_a_zone_is_shown_as_it_was_written() -> None:
    one = only(bundle(GLUCOSE | {"effectiveDateTime": "2026-03-01T08:00:00"}))
    assert one.when is not None
    assert (str(one.when), one.when.text, one.when.zoned) == (
        "1 Mar 2026, 08:00",
        "2026-03-01T08:00:00",
        False,
    )
    minutes = only(bundle(GLUCOSE | {"effectiveDateTime": "2026-03-01T08:00+01:00"}))
    assert str(minutes.when) == "1 Mar 2026, 08:00"


def test_one_bad_resource_does_not_lose_the_rest() -> None:
    found = read_observations(bundle(GLUCOSE, weight(effectiveDateTime="soon"), WEIGHT, GLUCOSE))
    assert (len(found.observations), found.measured) == (3, 4)
    assert found.problems[0].startswith("Entry 2, effectiveDateTime: ")


def test_messages_for_wrong_fields_are_everyday_words() -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"status": 5},
        {"code": []},
        {"valueQuantity": "5"},
        {"valueInteger": 2},
        {"x": 1},
    )
    for changes in wrong:
        (problem,) = read_observations(bundle(GLUCOSE | changes)).problems
        assert "Extra inputs" not in problem
        assert "valid" not in problem
        assert "spec regex" not in problem


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
FIELDS = """
resourceType status code coding system display text subject reference identifier value unit comparator
valueQuantity valueString interpretation referenceRange low high type appliesTo age component contained
effectiveDateTime effectivePeriod effectiveTiming event start end note comments related bodySite method
device dataAbsentReason entry resource fullUrl id name given family _value extension url focus
"""
NAMES = st.sampled_from(FIELDS.split())
TREES = st.recursive(
    LEAVES, lambda each: st.lists(each, max_size=3) | st.dictionaries(NAMES, each, max_size=4), max_leaves=12
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=5), st.booleans())
def test_whatever_stands_in_the_fields_only_its_own_error_comes_out(
    changes: dict[str, Any], bare: bool
) -> None:
    resource = GLUCOSE | changes
    try:
        read = read_observations(json.dumps(resource).encode() if bare else bundle(resource, GLUCOSE))
    except BadBundle:
        return
    assert isinstance(read, Reading)
    for series in gather_series((one, SOURCE) for one in read.observations):
        draw_chart(series)
    for one in read.observations:
        words(one)
