"""Passwords that a guesser tries first are refused, with words that say what to take."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.models import User
from accounts.sign_in.passwords import ADVICE
from records.demo.cast import PASSWORD as DEMO_PASSWORD
from tests.accounts.conftest import sign_in
from tests.people import PASSWORD, make_institution, make_person
from tests.story.portal import PASSWORD as STORY_PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]

GUESSED = [
    "medrecmedrec",
    "MedRec Hospital 1",
    "iloveyou1234",
    "medrec medrec medrec",
    "MedRec-2026-2027",
    "My patient record 12",
    "Health portal 2026!",
    "password1234!",
    "Password Password1",
    "qwertyuiop[]12",
    "1qaz2wsx3edc",
    "aaaaaaaaaaaaaaaaaaa",
    "abcabcabcabcabc",
    "hospital iloveyou",
]
OWN = [
    "Ada Moss 1980-05-17",
    "adamoss@example.org",
    "MossMossMoss",
    "moss19800517",
    "ada.moss.1234",
    "ADA MOSS 12345",
]
INSTITUTIONS = ["Lakeside Clinic 1", "lakesidelakeside", "LAKESIDE2026!", "doctor lakeside 99"]
TAKEN = [
    PASSWORD,
    DEMO_PASSWORD,
    STORY_PASSWORD,
    "gv7#kQ2p!xLm",
    "purple monkey dishwasher",
    "MedRec gv7#kQ2p!xLm",
    "hospital lantern orchard kettle",
    "пять тихих синих чашек",
    "长城 熊猫 茶杯 书桌 雨伞",
    "x7" * 4 + "correct lantern" + "é" * 500,
]


def refused(password: str, user: User | None = None) -> str:
    """Why a password is refused. Empty if it is taken."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


@pytest.mark.parametrize("password", GUESSED)
def test_what_is_tried_first_is_refused(password: str) -> None:
    assert ADVICE in refused(password)


@pytest.mark.parametrize("password", OWN)
def test_ones_own_name_and_address_are_refused(password: str) -> None:
    assert ADVICE in refused(password, User(name="Ada Moss", email="adamoss@example.org"))


@pytest.mark.parametrize("password", INSTITUTIONS)
def test_names_of_institutions_are_refused(password: str) -> None:
    make_institution("Lakeside Clinic")
    assert ADVICE in refused(password)


@pytest.mark.parametrize("password", TAKEN)
def test_other_passwords_are_taken(password: str) -> None:
    make_institution("Lakeside Clinic")
    assert refused(password, User(name="Ada Moss", email="adamoss@example.org")) == ""


def test_signing_up_knows_the_name_that_is_typed_beside_it() -> None:
    form = {"name": "Zora Quill", "date_of_birth": "1980-05-17", "email": "z@example.org"}
    weak = {"password1": "Zora Quill 1980!", "password2": "Zora Quill 1980!"}
    page = Client().post("/accounts/signup/", form | weak)
    assert ADVICE in page.content.decode()
    assert not User.objects.exists()


def test_a_change_and_a_reset_refuse_them_too() -> None:
    user = make_person()
    client = sign_in(user)
    weak = {"password1": "medrecmedrec", "password2": "medrecmedrec"}
    page = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **weak})
    assert ADVICE in page.content.decode()
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_long_password_of_many_small_matches_is_measured_in_bounded_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[int] = []
    from zxcvbn import zxcvbn as real

    def count(password: str, **options: object) -> object:
        measured.append(len(password))
        return real(password, **options)

    monkeypatch.setattr("accounts.sign_in.passwords.zxcvbn", count)

    refused("love123" * 5000)
    assert max(measured) <= 72
