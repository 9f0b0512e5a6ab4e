"""Entering measurements: a description, and rows of what was measured; or a FHIR bundle as text."""

import uuid
from dataclasses import replace
from typing import Any

from django import forms
from django.utils import timezone

from accounts.day_field import DayField
from chain.support.pasted_text import visible
from records.observations.decimals import COMPARATORS, BadNumber, looks_like_number, parse_number
from records.observations.known import BY_KEY, BY_LOINC, MEASURES, Measure, Unit
from records.observations.limits import IMPOSSIBLE, ODD
from records.observations.model import Amount, Observation, Part
from records.observations.moments import BadMoment, Moment, parse_moment, typed_moment
from records.observations.reading import NOTE_MAX, tidy
from records.services.describing import TITLE_MAX, service_dates
from records.web.forms.documents import Choices

OTHER = "other"
ROWS_MAX = 100
MEASURE_CHOICES: Choices = [
    ("", "Choose"),
    *((measure.key, measure.name) for measure in MEASURES),
    (OTHER, "Something else"),
]
UNITS = list(dict.fromkeys(unit.shown for measure in MEASURES for unit in measure.units))


class PlaceForm(forms.Form):
    """Title and date, and where it goes: a folder, or through which institution."""

    form = forms.UUIDField(widget=forms.HiddenInput)
    title = forms.CharField(max_length=TITLE_MAX, initial="Measurements")
    service_date = DayField(label="Date", help_text="When it was measured.")
    folder = forms.ChoiceField(choices=[])
    via = forms.ChoiceField(label="Through", choices=[])

    def __init__(self, *args: Any, folders: Choices, places: Choices, **kwargs: Any) -> None:
        """`folders`: empty when the folder is given; `places`: institutions of a doctor, else empty."""
        super().__init__(*args, **kwargs)
        self.fields["service_date"].initial = timezone.localdate
        self.fields["service_date"].set_range(*service_dates())  # type: ignore[attr-defined]
        self.fields["form"].initial = uuid.uuid4
        for name, choices in (("folder", folders), ("via", places)):
            if choices:
                self.fields[name].choices = choices  # type: ignore[attr-defined]
            else:
                del self.fields[name]


class BundleForm(PlaceForm):
    """A FHIR bundle as text. A chosen file is read into it by the page's script."""

    bundle = forms.CharField(
        label="FHIR bundle (JSON)",
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "form-control code"}),
    )


class RowForm(forms.Form):
    """One measurement. Valid: `cleaned_data["observation"]`, its `when` None where the row names no date."""

    use_required_attribute = False

    measure = forms.ChoiceField(label="Measurement", choices=MEASURE_CHOICES, required=False)
    name = forms.CharField(label="What was measured", max_length=200, required=False)
    value = forms.CharField(
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "text", "autocomplete": "off", "placeholder": "5.4"}),
    )
    unit = forms.CharField(
        max_length=40, required=False, widget=forms.TextInput(attrs={"list": "units", "autocomplete": "off"})
    )
    when = forms.CharField(
        label="Other date",
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "2026-03 or 2026-03-09 08:30", "autocomplete": "off"}),
    )
    note = forms.CharField(max_length=500, required=False)
    sure = forms.CharField(max_length=300, required=False, widget=forms.HiddenInput)

    asks = ""
    """What the tick under the row says yes to, where the value was asked back."""

    def clean(self) -> dict[str, Any]:
        """Make the observation. Each error stands beside its field."""
        values = super().clean() or {}
        if self.errors or not self.has_changed():
            return values
        when, observation = self._moment(values["when"]), None
        measure = BY_KEY.get(values["measure"])
        if measure is None and values["measure"] != OTHER:
            self.add_error("measure", "Choose what was measured.")
        elif not values["value"]:
            self.add_error("value", "Give the value.")
        elif measure is not None:
            observation = self._known(measure, values["value"], values["unit"])
        elif not values["name"]:
            self.add_error("name", "Say what was measured.")
        else:
            observation = self._other(*(tidy(values[name]) for name in ("name", "value", "unit")))
        if observation is not None and not self.errors:
            self._doubt(observation, values["sure"])
        if observation is not None and not self.errors:
            values["observation"] = replace(observation, when=when, note=tidy(values["note"], NOTE_MAX))
        return values

    def _moment(self, text: str) -> Moment | None:
        if not text:
            return None
        try:
            moment = parse_moment(typed_moment(text), timezone.get_current_timezone())
        except BadMoment as error:
            self.add_error("when", str(error))
            return None
        if moment.is_ahead(timezone.now()):
            self.add_error("when", f"{moment} lies in the future. Write the day on which it was measured.")
        return moment

    def _doubt(self, observation: Observation, sure: str) -> None:
        """Refuse a number that cannot be. Ask about one that hardly can, until this very one is ticked."""
        joined = "/".join(part.amount.figures for part in observation.parts)
        written = f"{observation.name} {joined} {observation.parts[0].amount.unit}".strip()
        doubts = {part.doubt for part in observation.parts}
        if IMPOSSIBLE in doubts:
            self.add_error("value", f"{written} cannot be. Look at the number and at the unit.")
        elif ODD in doubts:
            self.asks = written
        if self.asks and sure != written:
            self.add_error("value", f"{written}: is this right? If it is, tick it below and save again.")

    def _known(self, measure: Measure, value: str, text: str) -> Observation | None:
        value, text = _without_unit(measure, visible(value), visible(text))
        unit = measure.unit(text)
        if unit is None:
            choices = " or ".join(each.shown for each in measure.units)
            self.add_error("unit", f"{measure.name} is given in {choices}.")
            return None
        texts = value.split("/") if measure.parts else [value]
        if len(texts) != max(1, len(measure.parts)):
            self.add_error("value", "Write both values with a stroke between, like 120/80.")
            return None
        try:
            amounts = [_amount(each, unit) for each in texts]
        except BadNumber as error:
            self.add_error("value", str(error))
            return None
        codes = measure.parts or ((unit.loinc, measure.name),)
        parts = [Part(code, name, amount) for (code, name), amount in zip(codes, amounts, strict=True)]
        return Observation(unit.loinc, measure.name, None, tuple(parts))

    def _other(self, name: str, value: str, unit: str) -> Observation | None:
        """A measurement that is not in the list: a number with its unit, else words."""
        try:
            comparator, number = parse_number(value)
            amount = Amount(number, comparator, unit)
        except BadNumber as error:
            if looks_like_number(value):
                self.add_error("value", str(error))
                return None
            amount = Amount(words=f"{value} {unit}".strip())
        return Observation("", name, None, (Part("", name, amount),))

    @staticmethod
    def from_observation(observation: Observation) -> dict[str, str]:
        """Initial values: what a row says that was entered here."""
        measure, amount = BY_LOINC.get(observation.code), observation.parts[0].amount
        return {
            "measure": measure.key if measure else OTHER,
            "name": "" if measure else observation.name,
            "value": "/".join(part.amount.figures for part in observation.parts),
            "unit": amount.unit,
            "when": observation.when.text.replace("T", " ") if observation.when else "",
            "note": observation.note,
        }


RowSet = forms.formset_factory(RowForm, extra=2, max_num=ROWS_MAX, absolute_max=ROWS_MAX, validate_max=True)


def observations_of(rows: "forms.BaseFormSet[RowForm]") -> list[Observation]:
    """Read the valid rows. Rows left blank are no measurements."""
    observations = (form.cleaned_data.get("observation") for form in rows.forms)
    return [observation for observation in observations if observation is not None]


def _without_unit(measure: Measure, value: str, text: str) -> tuple[str, str]:
    """Return number and unit apart, where both were pasted into the field of the number."""
    number, _, unit = value.partition(" ")
    if number in COMPARATORS:
        number, _, unit = unit.partition(" ")
        number = value.partition(" ")[0] + number
    same = measure.unit(unit) if unit else None
    if same is None or (text and measure.unit(text) != same):
        return value, text
    return number, unit


def _amount(text: str, unit: Unit) -> Amount:
    comparator, number = parse_number(text)
    return Amount(number, comparator, unit.shown, unit.code)
