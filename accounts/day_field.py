"""A day in a form, chosen from the browser's calendar or typed where there is none."""

import re
from datetime import date
from typing import Any

from django import forms

from chain.support.pasted_text import visible

_STROKES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


class DayInput(forms.DateInput):
    """The browser's own date field; `first` and `last` are what the server takes."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")


class DayField(forms.DateField):
    """A day. One that can be read in two ways is asked back."""

    widget = DayInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_messages["invalid"] = "Write the date like 1980-06-05 or 5 June 1980."

    def to_python(self, value: Any) -> date | None:
        """The day. Raises ValidationError."""
        if isinstance(value, str):
            value = visible(value)
            if strokes := _STROKES.fullmatch(value):
                return _by_strokes(*map(int, strokes.groups()))
        return super().to_python(value)

    def set_range(self, first: date | None, last: date | None) -> None:
        """Give the browser's calendar the first and last day that will be taken."""
        for name, day in (("min", first), ("max", last)):
            if day is not None:
                self.widget.attrs[name] = day.isoformat()


def _by_strokes(one: int, two: int, year: int) -> date:
    """5/17/1980 and 17/5/1980 are one day each; 5/6/1980 may be two."""
    if one <= 12 and two <= 12 and one != two:
        first, second = (f"{date(2000, month, day):%-d %B}" for day, month in ((one, two), (two, one)))
        raise forms.ValidationError(
            f"{one}/{two}/{year} can be {first} or {second}. Write the month as a word, or the year first."
        )
    try:
        return date(year, two, one) if one > 12 else date(year, one, two)
    except ValueError as error:
        raise forms.ValidationError("There is no such day.") from error
