"""An account's address, as typed, pasted or scanned."""

from typing import Any

from django import forms

from accounts.directory import parse_address
from accounts.errors import BadAddress


def checked_address(text: str) -> str:
    """The address in a text, for a form's clean method."""
    try:
        return parse_address(text)
    except BadAddress as error:
        raise forms.ValidationError(str(error)) from error


ADDRESS_MAX = 320  # characters, with all that may come around an address


class AddressField(forms.CharField):
    """Takes 0x… or the content of a QR code (ethereum:0x…), as pasted; gives the address."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "placeholder": "0x…"}
        super().__init__(max_length=ADDRESS_MAX, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> str:
        """The address. Raises ValidationError."""
        return checked_address(super().clean(value))
