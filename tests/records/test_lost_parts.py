"""A store or a SECRET_KEY that is not the one of before: said at the start, once it is right no more."""

from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from pytest_django import Settings

from accounts.models import Mark
from accounts.services.secret_key import say_other_secret_key
from records.content import store
from records.holdings import put_held
from records.lost_store import say_lost_store
from tests.people import make_person

pytestmark = pytest.mark.django_db


def test_an_empty_or_older_store_is_said(settings: Settings, tmp_path: Path) -> None:
    settings.STORE_PATH = tmp_path / "one"
    assert say_lost_store() == []
    for number in range(6):
        put_held(store(), [b"content %d" % number])
    settings.STORE_PATH = tmp_path / "copy"
    for number in range(2):
        store().put([b"content %d" % number])
    (line,) = say_lost_store()
    assert line.startswith("The store has none of the newest files: it is empty, older than")
    settings.STORE_PATH = tmp_path / "other"
    (line,) = say_lost_store()
    assert line.startswith("The store has none of the files looked for")
    settings.STORE_PATH = tmp_path / "one"
    assert say_lost_store() == []


def test_another_secret_key_is_said_once_where_nothing_is_sealed(settings: Settings) -> None:
    assert say_other_secret_key() == []
    settings.SECRET_KEY = "another one, of thirty characters or more"
    (line,) = say_other_secret_key()
    assert line.startswith("SECRET_KEY is not the one of before")
    assert settings.SECRET_KEY not in str(Mark.objects.values())
    assert say_other_secret_key() == []


def test_another_secret_key_is_said_while_second_factors_do_not_open(settings: Settings) -> None:
    former = settings.SECRET_KEY
    assert say_other_secret_key() == []
    user = make_person()
    Authenticator.objects.create(
        user=user, type=Authenticator.Type.TOTP, data={"secret": encrypt("ABCDEFGHIJ")}
    )
    settings.SECRET_KEY = "another one, of thirty characters or more"
    for _ in range(2):
        (line,) = say_other_secret_key()
        assert "1 second factors cannot be opened" in line
    settings.SECRET_KEY = former
    assert say_other_secret_key() == []
    settings.SECRET_KEY = "another one, of thirty characters or more"
    Authenticator.objects.all().delete()
    assert say_other_secret_key() != []
    assert say_other_secret_key() == []
