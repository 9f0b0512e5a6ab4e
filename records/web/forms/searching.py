"""The fields above a list of records: words, kind, period, author, folder."""

from collections.abc import Iterable
from typing import Any

from django import forms

from accounts.day_field import DayField
from records.kinds import KINDS
from records.services.searching import TEXT_MAX, Filter
from records.shapes import RecordView
from records.web.forms.documents import Choices


class SearchForm(forms.Form):
    """Choices are those that the list has, so that none of them finds nothing by itself."""

    use_required_attribute = False

    text = forms.CharField(
        label="Search",
        max_length=TEXT_MAX,
        required=False,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "autocomplete": "off",
                "spellcheck": "false",
                "placeholder": "Title, file, kind, name",
            }
        ),
    )
    kind = forms.ChoiceField(choices=[], required=False)
    author = forms.ChoiceField(label="Written by", choices=[], required=False)
    folder = forms.TypedChoiceField(choices=[], coerce=int, empty_value=None, required=False)
    since = DayField(label="From", required=False)
    until = DayField(label="To", required=False)
    page = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, records: Iterable[RecordView], folders: bool, **kwargs: Any) -> None:
        """`folders`: whether to choose one; not where the page is a folder's."""
        super().__init__(*args, **kwargs)
        records = list(records)
        kinds = {record.kind: KINDS.get(record.kind, record.kind) for record in records if record.kind}
        authors = {record.author: record.author_name or "The patient" for record in records}
        authors |= {record.via: record.via_name for record in records if record.via}
        folder_names = {record.folder: record.folder_name for record in records if record.folder}
        self._offer("kind", "Any kind", kinds)
        self._offer("author", "Anybody", authors)
        if folders and len(folder_names) > 1:
            self._offer("folder", "Any folder", {str(number): name for number, name in folder_names.items()})
        else:
            del self.fields["folder"]

    def clean(self) -> dict[str, Any]:
        """The period's ends in order."""
        values = super().clean() or {}
        since, until = values.get("since"), values.get("until")
        if since and until and since > until:
            self.add_error("until", "The period ends before it begins.")
        return values

    @property
    def wanted(self) -> Filter:
        """Return the filter, once the form is valid."""
        data = self.cleaned_data
        return Filter(
            text=data["text"],
            kind=data["kind"],
            since=data["since"],
            until=data["until"],
            author=data["author"],
            folder=data.get("folder"),
        )

    def words(self, conditions: Filter) -> list[str]:
        """Return the filter in words."""
        phrases = [f"“{conditions.text}”"] if conditions.text else []
        for name in ("kind", "author", "folder"):
            value = getattr(conditions, name)
            if value not in ("", None):
                phrases.append(dict(self.fields[name].choices)[str(value)])  # type: ignore[attr-defined]
        phrases += [f"from {conditions.since.day} {conditions.since:%b %Y}"] if conditions.since else []
        return phrases + ([f"to {conditions.until.day} {conditions.until:%b %Y}"] if conditions.until else [])

    def _offer(self, name: str, every: str, choices: dict[str, str]) -> None:
        options: Choices = sorted(choices.items(), key=lambda item: item[1].casefold())
        self.fields[name].choices = [("", every), *options]  # type: ignore[attr-defined]
