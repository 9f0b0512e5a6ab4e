"""Asking for access, and answering."""

import re
from datetime import timedelta
from typing import Any

from django import forms
from django.core.validators import validate_email
from django.utils import timezone

from accounts.day_field import DayField
from chain.support.pasted_text import visible
from records.kinds import KIND_CHOICES, PURPOSE_CHOICES
from records.services.requests import REASON_MAX
from records.services.terms import DAYS_MAX, NOTE_MAX
from records.shapes import FolderView, RecordView
from records.web.forms.addresses import AddressField, checked_address
from records.web.forms.documents import Choices, folder_choices

_AROUND_EMAIL = "<>()\"' ,;."
FOLDERS, RECORDS, SELECTION = "folders", "records", "selection"


class RequestForm(forms.Form):
    """A doctor's request to a patient."""

    patient = forms.CharField(
        label="Patient",
        max_length=320,
        help_text="The exact address, or the content of the QR code, or an e-mail: then a link is mailed.",
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "placeholder": "0x… or name@example.org",
            }
        ),
    )
    via = forms.ChoiceField(label="Through", choices=[])
    purpose = forms.ChoiceField(choices=PURPOSE_CHOICES)
    kinds = forms.MultipleChoiceField(
        label="Kinds of records",
        choices=KIND_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked asks for all kinds.",
    )
    permissions = forms.ChoiceField(
        label="You want to",
        choices=[("read", "Read"), ("write", "Read, add and modify")],
        initial="read",
        widget=forms.RadioSelect,
    )
    days = forms.IntegerField(label="For how many days", min_value=1, max_value=DAYS_MAX, initial=90)
    note = forms.CharField(
        label="Note to the patient",
        required=False,
        max_length=NOTE_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Encrypted: only the patient and you can read it.",
    )

    def __init__(self, *args: Any, places: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["via"].choices = places  # type: ignore[attr-defined]

    def clean_patient(self) -> str:
        """An e-mail address or an account's address."""
        text = visible(self.cleaned_data["patient"])
        email = re.sub(r"^mailto:", "", text.strip(_AROUND_EMAIL), flags=re.IGNORECASE)
        if "@" in email and "0x" not in email.lower().partition("@")[0]:
            validate_email(email)
            return email
        return checked_address(text)

    @property
    def by_email(self) -> bool:
        """Return whether the patient was named by an e-mail address."""
        return "@" in self.cleaned_data["patient"]


class DenyForm(forms.Form):
    """Why a request is refused; sealed to who asked."""

    reason = forms.CharField(
        required=False,
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Only who asked can read it. You may leave it empty.",
    )


class GranteeForm(forms.Form):
    """To whom access is given, when nobody asked."""

    grantee = AddressField(
        label="Address of the doctor or institution",
        help_text="0x and 40 characters, or the content of their QR code.",
    )


class GrantForm(forms.Form):
    """What is shared with whom, through whom, and until when."""

    via = forms.ChoiceField(label="Through", choices=[], required=False)
    what = forms.ChoiceField(
        label="What to share",
        choices=[
            (FOLDERS, "Whole folders, with what comes into them later"),
            (RECORDS, "Single records"),
            (SELECTION, "A selection by kind and period, as it is today"),
        ],
        initial=FOLDERS,
        widget=forms.RadioSelect,
    )
    folders = forms.TypedMultipleChoiceField(
        choices=[], coerce=int, required=False, widget=forms.CheckboxSelectMultiple, label="Folders"
    )
    records = forms.MultipleChoiceField(
        choices=[], required=False, widget=forms.CheckboxSelectMultiple, label="Records"
    )
    kinds = forms.MultipleChoiceField(
        choices=[],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Kinds",
        help_text="None ticked means all kinds.",
    )
    since = DayField(label="From", required=False)
    until = DayField(label="To", required=False)
    permissions = forms.ChoiceField(
        label="They may",
        choices=[("read", "Read"), ("write", "Read, add and modify")],
        initial="read",
        widget=forms.RadioSelect,
        help_text="A selection is always read only.",
    )
    expires_at = DayField(label="Until", help_text="Access ends at the end of this day.")

    def __init__(
        self,
        *args: Any,
        folders: list[FolderView],
        records: list[RecordView],
        places: Choices,
        days: int = 90,
        **kwargs: Any,
    ) -> None:
        """`places`: institutions through which a doctor may be granted; empty when it is settled."""
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        self.fields["expires_at"].initial = today + timedelta(days=days)
        self.fields["expires_at"].set_range(today, today + timedelta(days=DAYS_MAX))  # type: ignore[attr-defined]
        kinds = {record.kind for record in records}
        choices: dict[str, Choices] = {
            "folders": folder_choices(folders),
            "records": [(record.record, _line(record)) for record in records],
            "kinds": [choice for choice in KIND_CHOICES if choice[0] in kinds],
            "via": places,
        }
        for name, options in choices.items():
            self.fields[name].choices = options  # type: ignore[attr-defined]
        if places:
            self.fields["via"].required = "" not in dict(places)
        else:
            del self.fields["via"]

    def clean(self) -> dict[str, Any]:
        """Something must be chosen."""
        data = super().clean() or {}
        what = data.get("what")
        if what in (FOLDERS, RECORDS) and not data.get(what):
            self.add_error(what, "Choose at least one.")
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", "The period ends before it begins.")
        return data


def _line(record: RecordView) -> str:
    day = record.service_date.strftime("%-d %b %Y") if record.service_date else "no date"
    return f"{record.title} ({record.kind_name}, {day})"
