"""FHIR JSON to observations and back: exact numbers, partial dates, and files that mean harm."""

import json
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.observations.decimals import BadNumber, checked_decimal, looks_like_number, parse_number
from records.observations.known import BLOOD_PRESSURE, BY_LOINC, DIASTOLIC, MEASURES, SYSTOLIC
from records.observations.model import Amount, Observation, Part
from records.observations.moments import BadMoment, parse_moment
from records.observations.reading import ENTRIES_MAX, BadBundle, Reading, read_observations
from records.observations.writing import write_observations

WEIGHT = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "effectiveDateTime": "2026-03-01",
    "valueQuantity": {"value": 70, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
}


def bundle(*resources: Any, **more: Any) -> bytes:
    """A collection of these."""
    entries = [{"fullUrl": f"urn:x:{n}", "resource": each} for n, each in enumerate(resources)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries} | more).encode()


def weight(**changes: Any) -> dict[str, Any]:
    """A weight with other fields."""
    return WEIGHT | changes


def quantity(written: str) -> bytes:
    """A weight whose value is written like this in the JSON."""
    return bundle(WEIGHT).replace(b'"value": 70', f'"value": {written}'.encode())


def only(data: bytes) -> Observation:
    """The one observation."""
    (one,) = read_observations(data, strict=True).observations
    return one


def test_a_number_keeps_its_digits() -> None:
    part = only(quantity("5.40")).single
    assert part is not None
    assert (part.amount.figures, part.amount.unit, part.name) == ("5.40", "kg", "Body weight")


@pytest.mark.parametrize(
    ("written", "shown"), [("-0.0", "0.0"), ("-0", "0"), ("1e-3", "0.001"), ("7E1", "70")]
)
def test_other_ways_to_write_a_number_are_shown_plainly(written: str, shown: str) -> None:
    assert only(quantity(written)).parts[0].amount.figures == shown


@pytest.mark.parametrize("written", ["1e400", "NaN", "-Infinity", "9" * 5000, '"7"', "1e-400", "true", "[1]"])
def test_what_is_no_measurement_is_refused_with_its_entry(written: str) -> None:
    with pytest.raises(BadBundle):
        read_observations(quantity(written), strict=True)


def test_an_error_names_the_entry_and_the_field() -> None:
    with pytest.raises(BadBundle, match=r"Entry 2, valueQuantity\.value: .*at most 18 digits"):
        read_observations(
            bundle(WEIGHT, WEIGHT).replace(b"70", b"1e400", 2).replace(b"1e400", b"70", 1), strict=True
        )
    with pytest.raises(BadBundle, match=r"Entry 1, status: .*required"):
        read_observations(bundle({**WEIGHT, "status": None}), strict=True)
    with pytest.raises(BadBundle, match=r"Entry 1, code\.txt: FHIR R4 has no such field"):
        read_observations(bundle(weight(code={"txt": "x"})), strict=True)
    with pytest.raises(BadBundle, match=r"Entry 1, effectiveDateTime: this is no date"):
        read_observations(bundle(weight(effectiveDateTime="2025-02-30")), strict=True)


def test_a_wrong_entry_is_left_out_and_said_where_a_file_is_only_shown() -> None:
    found = read_observations(bundle(weight(effectiveDateTime="soon"), WEIGHT))
    assert len(found.observations) == 1
    assert len(found.problems) == 1
    assert found.problems[0].startswith("Entry 1, effectiveDateTime")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"\xff\xfe", b"{", b'{"resourceType": "Patient"}', b"[" * 100_000,
        b'{"resourceType": "Bundle", "entry": {}}', b'{"resourceType": ["Bundle"]}',
    ],
)  # fmt: skip
def test_what_is_no_bundle_says_so(data: bytes) -> None:
    with pytest.raises(BadBundle):
        read_observations(data)


def test_other_resources_nested_bundles_and_errors_are_counted_not_shown() -> None:
    nested = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": WEIGHT}]}
    withdrawn = weight(status="entered-in-error")
    found = read_observations(
        bundle({"resourceType": "Patient"}, nested, 7, None, withdrawn, WEIGHT), strict=True
    )
    assert (len(found.observations), found.not_shown, found.withdrawn) == (1, 4, 1)


def test_an_address_twice_in_a_bundle_is_refused() -> None:
    entry = {"fullUrl": "urn:x:1", "resource": WEIGHT}
    data = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [entry, entry]}).encode()
    with pytest.raises(BadBundle, match="Entry 2, fullUrl"):
        read_observations(data, strict=True)


def test_ten_thousand_entries_are_refused_at_once_and_five_thousand_read() -> None:
    with pytest.raises(BadBundle, match="10,000 entries"):
        read_observations(bundle(*[WEIGHT] * 10_000))
    assert len(read_observations(bundle(*[WEIGHT] * ENTRIES_MAX)).observations) == 5000


def test_text_that_cannot_be_shown_is_made_so() -> None:
    hostile = "<script>\u0000\u202e" + "a" * 5000
    one = only(bundle(weight(code={"text": hostile}, note=[{"text": hostile}])))
    one.name.encode()
    assert one.name.startswith("<script>")
    assert "\u202e" not in one.name
    assert len(one.name) == 300
    assert len(one.note) == 2000


def test_half_a_character_is_refused() -> None:
    with pytest.raises(BadBundle, match=r"Entry 1, code\.text"):
        read_observations(bundle(weight(code={"text": "\ud800"})), strict=True)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"valueString": "positive"}, "positive"),
        ({"valueBoolean": False}, "no"),
        ({"valueInteger": 3}, "3"),
        ({"valueCodeableConcept": {"coding": [{"code": "A", "display": "Blood group A"}]}}, "Blood group A"),
        ({"valueRange": {"low": {"value": 1, "unit": "g"}, "high": {"value": 2, "unit": "g"}}}, "1 g to 2 g"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "1 : 128"),
        ({"dataAbsentReason": {"text": "not done"}}, "no value: not done"),
        ({}, "no value"),
    ],
)
def test_every_kind_of_value_has_words(value: dict[str, Any], shown: str) -> None:
    fields = {name: each for name, each in WEIGHT.items() if name != "valueQuantity"}
    amount = only(bundle(fields | value)).parts[0].amount
    assert amount.figures == shown
    assert amount.plotted is (shown == "3")


def test_a_reference_range_is_compared_in_its_own_unit_only() -> None:
    high = {"value": 60, "unit": "kg"}
    above = only(bundle(weight(referenceRange=[{"high": high}]))).parts[0]
    assert (str(above.range), above.side) == ("up to 60", "above")
    pounds = only(bundle(weight(referenceRange=[{"high": high | {"unit": "lb"}}]))).parts[0]
    assert (pounds.side, str(pounds.range)) == ("", "… to 60 lb")
    two = [{"high": high, "text": "men"}, {"high": high | {"value": 50}, "appliesTo": [{"text": "women"}]}]
    several = only(bundle(weight(referenceRange=two))).parts[0]
    assert (several.side, str(several.range)) == ("", "up to 60 (men); up to 50 (women)")
    target = {"high": high, "type": {"coding": [{"code": "treatment", "display": "Treatment range"}]}}
    assert only(bundle(weight(referenceRange=[target]))).parts[0].side == ""


def test_a_known_code_alone_has_a_name() -> None:
    pressure = {"coding": [{"system": "http://loinc.org", "code": SYSTOLIC}]}
    component = {"code": pressure, "valueQuantity": WEIGHT["valueQuantity"]}
    found = only(bundle(weight(component=[component])))
    assert [part.name for part in found.parts] == ["Body weight", "Systolic"]


def test_an_observation_by_itself_is_read_too() -> None:
    assert len(read_observations(json.dumps(WEIGHT).encode()).observations) == 1


NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal(-(10**9)), max_value=Decimal(10**9), places=3
)


def parse_or_none(text: str) -> tuple[str, Decimal] | None:
    """Return the comparator and number of a text, or None for one that is asked back."""
    try:
        return parse_number(text)
    except BadNumber:
        return None


@given(NUMBERS, st.integers(0, 3), st.sampled_from(["", "<", "<=", ">", ">="]))
def test_what_is_written_is_read_back_digit_for_digit(number: Decimal, places: int, comparator: str) -> None:
    number = number.quantize(Decimal(1).scaleb(-places))
    text = f"{comparator} {number:f}".strip()
    kept = parse_number(text)
    assert "," in text or text.count(".") > 1 or parse_or_none(text.replace(".", ",")) in (kept, None)
    one = Observation("", "Any", parse_moment("2026"), (Part("", "Any", Amount(kept[1], kept[0], "u")),))
    read = read_observations(write_observations([one]), strict=True)
    assert read == Reading([one])
    assert read.observations[0].parts[0].amount.figures == (
        text if number else f"{comparator} {abs(number):f}".strip()
    )


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("5,4", "5.4"),
        ("< 0,30", "0.30"),
        ("0,123", "0.123"),
        ("1234,567", "1234.567"),
        ("12,3456", "12.3456"),
    ],
)
def test_a_comma_that_can_be_nothing_else_is_the_decimal_sign(written: str, number: str) -> None:
    assert parse_number(written)[1].as_tuple() == Decimal(number).as_tuple()


@pytest.mark.parametrize("written", ["1,234", "-12,345", "< 123,456"])
def test_a_comma_that_may_stand_between_thousands_is_asked_back(written: str) -> None:
    with pytest.raises(BadNumber, match=r"can mean two numbers. Write .*\..* or"):
        parse_number(written)


@pytest.mark.parametrize(
    "written", ["1.234,5", "1,234.5", "1'000", "1,234,567", "1 000", "\u0665\u066b\u0664", "\uff15.\uff14"]
)
def test_other_ways_to_write_numbers_are_numbers_and_asked_back(written: str) -> None:
    assert looks_like_number(written)
    with pytest.raises(BadNumber):
        parse_number(written)


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_refusal(text: str) -> None:
    try:
        comparator, number = parse_number(text)
    except BadNumber:
        return
    assert checked_decimal(number).is_finite()
    assert comparator in ("", "<", "<=", ">", ">=")


@given(
    st.datetimes(min_value=parse_moment("1880").at.replace(tzinfo=None), timezones=st.just(UTC)).filter(
        lambda at: at.year < 2200
    ),
    st.integers(1, 4),
)
def test_a_partial_date_is_never_made_more_exact(at: Any, parts: int) -> None:
    text = [f"{at:%Y}", f"{at:%Y-%m}", f"{at:%Y-%m-%d}", f"{at:%Y-%m-%dT%H:%M:%S}Z"][parts - 1]
    moment = parse_moment(text)
    assert (moment.text, moment.unit) == (text, ["year", "month", "day", "time"][parts - 1])
    assert moment.at <= moment.middle


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_a_refusal(text: str) -> None:
    try:
        moment = parse_moment(text)
    except BadMoment:
        return
    assert parse_moment(moment.text) == moment


def test_what_the_form_makes_is_the_same_bundle_twice() -> None:
    moment = parse_moment("2026-03-01 08:30")
    parts = (
        Part(SYSTOLIC, "Systolic", Amount(Decimal(120))),
        Part(DIASTOLIC, "Diastolic", Amount(Decimal(80))),
    )
    one = Observation(BLOOD_PRESSURE, "Blood pressure", moment, parts, "at rest")
    data = write_observations([one, one])
    read = read_observations(data, strict=True).observations
    assert read == [one, one]
    assert write_observations(read) == data


def test_every_known_measurement_has_its_own_codes() -> None:
    for measure in MEASURES:
        for unit in measure.units:
            assert BY_LOINC[unit.loinc] is measure
            assert measure.unit(unit.shown) == measure.unit(unit.code) == unit
