"""Forms around sign-in and keys; allauth's own, with what the vault needs."""

import uuid
from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm as AllauthChangePasswordForm
from allauth.account.forms import ResetPasswordKeyForm as AllauthResetPasswordKeyForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.core import context
from django import forms
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse

from accounts.crypto.errors import PhraseError
from accounts.crypto.phrase import words_of
from accounts.day_field import DayField, DayInput
from accounts.errors import WrongSecret
from accounts.models import ApiToken, Membership, User, Vault
from accounts.models.users import births_possible, validate_date_of_birth
from accounts.requests import PortalRequest
from accounts.services import tokens, vaults
from accounts.sign_in.passwords import GuessablePasswordValidator
from chain.support.pasted_text import can_be_seen, plain_name

PHRASE_WIDGET = forms.Textarea(
    attrs={"rows": 3, "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
)


class SignupForm(AllauthSignupForm):  # type: ignore[misc]
    """Registration: who somebody is, and a password that also seals the vault."""

    name = forms.CharField(
        label="Your name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    date_of_birth = DayField(
        validators=[validate_date_of_birth], widget=DayInput(attrs={"autocomplete": "bday"})
    )
    phrase = forms.CharField(
        label="Recovery phrase (24 words)",
        required=False,
        widget=PHRASE_WIDGET,
        help_text="Your records come back with it. Whoever knows it can open them.",
    )
    field_order = ("name", "date_of_birth", "email", "password1", "password2", "phrase")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail"
        self.fields["date_of_birth"].set_range(*births_possible())
        self.fields[
            "password1"
        ].help_text = "At least 12 characters. It seals your records: whoever knows it can open them."

    def clean_name(self) -> str:
        """A name that can be seen, without stray blanks."""
        name = plain_name(str(self.cleaned_data["name"]))
        if not can_be_seen(name):
            raise forms.ValidationError("Enter your name.")
        return name

    def clean_phrase(self) -> str:
        """A phrase that belongs together, and that nobody is registered with."""
        phrase = str(self.cleaned_data["phrase"]).strip()
        if phrase:
            try:
                vaults.check_new_phrase(phrase)
            except PhraseError as error:
                raise forms.ValidationError(str(error)) from error
        return phrase

    def clean(self) -> dict[str, Any]:
        """As allauth's, which does not know the name: a password is not made of that either."""
        data = cast("dict[str, Any]", super().clean())
        if data.get("password1") and data.get("name"):
            person = User(name=data["name"], email=data.get("email") or "")
            try:
                GuessablePasswordValidator().validate(data["password1"], person)
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return data

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """As allauth's; an e-mail that is known takes as long as one that is not."""
        if self.account_already_exists:
            password = self.cleaned_data["password1"]
            make_password(password)
            vaults.new_vault(User(), password)
        return cast("tuple[User | None, HttpResponse | None]", super().try_save(request))


class ChangePasswordForm(AllauthChangePasswordForm):  # type: ignore[misc]
    """Opens the vault with the old password and seals it under the new one."""

    def save(self) -> None:
        """Change both together; the vault stays open in this browser and closes in the others."""
        data = self.cleaned_data
        bundle = vaults.change_password(self.user, old=data["oldpassword"], new=data["password1"])
        if bundle is not None:
            cast(PortalRequest, context.request).vault.open(self.user, bundle)


class ResetPasswordKeyForm(AllauthResetPasswordKeyForm):  # type: ignore[misc]
    """A new password, and the recovery phrase that seals the vault under it."""

    phrase = forms.CharField(
        label="Recovery phrase (24 words)",
        required=False,
        widget=PHRASE_WIDGET,
        help_text="The words you wrote down when you registered. With them your records open again at once.",
    )
    without_phrase = forms.BooleanField(
        label="I do not have my phrase at hand: set the password, and leave my vault closed until I enter it",
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.user is None or not Vault.objects.filter(user=self.user).exists():
            del self.fields["phrase"], self.fields["without_phrase"]

    def clean_phrase(self) -> str:
        """The phrase is checked before anything changes."""
        phrase = str(self.cleaned_data["phrase"])
        if phrase.strip():
            check_phrase(self.user, phrase)
        return phrase.strip()

    def clean(self) -> dict[str, Any]:
        """Either the phrase, or saying that the vault stays closed."""
        data = cast("dict[str, Any]", super().clean() or self.cleaned_data)
        answered = "phrase" in self.errors or data.get("phrase") or data.get("without_phrase")
        if "phrase" in self.fields and not answered:
            self.add_error("phrase", "Enter your recovery phrase, or tick the box below.")
        return data

    def save(self) -> None:
        """Set the password; seal the vault under it, or mark it closed."""
        vaults.reset_password(
            self.user, password=self.cleaned_data["password1"], phrase=self.cleaned_data.get("phrase", "")
        )


class PasswordForm(forms.Form):
    """The password, asked once more."""

    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class PhraseForm(forms.Form):
    """The closed-vault page's other way: phrase and current password."""

    phrase = forms.CharField(label="Recovery phrase (24 words)", widget=PHRASE_WIDGET)
    current_password = forms.CharField(
        label="Your current password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Your vault is sealed under it from now on.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_phrase(self) -> str:
        """A bad phrase is named before a password is tried."""
        phrase = str(self.cleaned_data["phrase"])
        check_phrase(self.user, phrase)
        return phrase


class WordsForm(forms.Form):
    """Words of the phrase, asked back."""

    def __init__(self, *args: Any, words: dict[int, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.words = words
        for place in sorted(words):
            self.fields[f"word_{place}"] = forms.CharField(
                label=f"Word {place}",
                widget=forms.TextInput(
                    attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
                ),
            )

    def clean(self) -> dict[str, Any]:
        """Every word must be the one shown."""
        data = super().clean() or {}
        for place, word in self.words.items():
            given = " ".join(words_of(str(data.get(f"word_{place}", ""))))
            if given and given != word:
                self.add_error(f"word_{place}", f"That is not word {place} of your phrase.")
        return data


class TokenForm(forms.Form):
    """A new API token; the id it brings makes a second click make no second one."""

    token_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    name = forms.CharField(max_length=80, help_text="What it is for; only you see this.")
    scope = forms.ChoiceField(choices=ApiToken.Scope.choices)
    days = forms.IntegerField(label="Days it lasts", min_value=1, max_value=tokens.LONGEST.days, initial=90)
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Asked for once more: a token acts without you. It ends when you change your password.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        """Check the password, counting failures as sign-in does. It opens a closed vault, too."""
        password = str(self.cleaned_data["password"])
        if not get_adapter().reauthenticate(self.user, password):
            raise forms.ValidationError("That is not your password.")
        return password


class InviteForm(forms.Form):
    """A new invitation into an institution."""

    email = forms.EmailField(label="E-mail")
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.DOCTOR)


def check_phrase(user: User, phrase: str) -> None:
    """Raise a form's ValidationError unless this is the user's recovery phrase."""
    try:
        vaults.entropy_from_phrase(user, phrase)
    except (PhraseError, WrongSecret) as error:
        raise forms.ValidationError(str(error)) from error
