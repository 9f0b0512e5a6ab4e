"""Describing, mending, moving, filing and closing records; naming folders."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone

from accounts.day_field import DayField
from records.kinds import KIND_CHOICES
from records.services.describing import TITLE_MAX, service_dates
from records.services.folders import NAME_MAX
from records.shapes import FolderView, RecordView
from records.web.forms.addresses import AddressField

Choices = list[tuple[str, str]]


def folder_choices(folders: list[FolderView]) -> Choices:
    """A patient's folders to choose from."""
    return [(str(folder.number), folder.name) for folder in folders]


class DescriptionForm(forms.Form):
    """Title, kind and date of service: what a list shows of a record."""

    title = forms.CharField(
        max_length=TITLE_MAX, widget=forms.TextInput(attrs={"placeholder": "Blood report, spring check-up"})
    )
    kind = forms.ChoiceField(choices=[("", "Choose a kind"), *KIND_CHOICES])
    service_date = DayField(label="Date of service", help_text="When it was examined, written or given.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["service_date"].set_range(*service_dates())  # type: ignore[attr-defined]

    @staticmethod
    def from_record(record: RecordView) -> dict[str, Any]:
        """Initial values: what the record says now."""
        return {"title": record.title, "kind": record.kind, "service_date": record.service_date}


class UploadForm(DescriptionForm):
    """A description, and where the file goes. The file itself is sent on its own, as the body of a PUT."""

    folder = forms.ChoiceField(choices=[])
    via = forms.ChoiceField(label="Through", choices=[])
    nonce = forms.CharField(
        label="A random text of your own",
        required=False,
        strip=False,
        help_text="Mixed into the encryption, beside the randomness that the portal adds in any case.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "maxlength": settings.NONCE_MAX_BYTES}
        ),
    )
    file_name = forms.CharField(widget=forms.HiddenInput)
    media_type = forms.CharField(widget=forms.HiddenInput, required=False)
    size = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args: Any, folders: Choices, places: Choices, **kwargs: Any) -> None:
        """`folders`: empty when the folder is given; `places`: institutions of a doctor, else empty."""
        super().__init__(*args, **kwargs)
        self.fields["service_date"].initial = timezone.localdate
        for name, choices in (("folder", folders), ("via", places)):
            if choices:
                self.fields[name].choices = choices  # type: ignore[attr-defined]
            else:
                del self.fields[name]


class DescriptionViaForm(DescriptionForm):
    """Mending a description. A doctor does it through an institution."""

    via = forms.ChoiceField(label="Through", choices=[])

    def __init__(self, *args: Any, places: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if places:
            self.fields["via"].choices = places  # type: ignore[attr-defined]
        else:
            del self.fields["via"]


class FolderChoiceForm(forms.Form):
    """Into which folder a record is filed or moved."""

    folder = forms.TypedChoiceField(choices=[], coerce=int)

    def __init__(self, *args: Any, folders: list[FolderView], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["folder"].choices = folder_choices(folders)  # type: ignore[attr-defined]


class SenderForm(forms.Form):
    """From whom nothing more is taken: who left a record, or everybody of the institution."""

    sender = forms.ChoiceField(label="Take no more records from", choices=[], widget=forms.RadioSelect)

    def __init__(self, *args: Any, record: RecordView, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(record.author, record.author_name)]
        choices += [(record.via, f"everybody at {record.via_name}")] if record.via else []
        self.fields["sender"].choices = choices  # type: ignore[attr-defined]
        self.initial["sender"] = record.author


class FolderNameForm(forms.Form):
    """A folder's name. It is encrypted like the records."""

    name = forms.CharField(
        max_length=NAME_MAX,
        help_text="Only you, and whoever you share the folder with, can read the name.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class PatientForm(forms.Form):
    """For whom a record is left."""

    patient = AddressField(help_text="The patient's exact address, or the content of the QR code.")
