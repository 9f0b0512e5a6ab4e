"""The demo's people, whose password is published, exist only where nobody else reaches the portal."""

from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.hosts import is_loopback
from accounts.models import User
from accounts.services import signup
from medrec import prepare
from records.checks import check_demo
from records.demo.people import ADMINISTRATOR, ASHA, BEN, PASSWORD
from tests.people import make_person

REMOTE = "https://medrec.example.org"
DATABASES = ["default"]


@pytest.mark.parametrize(
    ("url", "alone"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.9.9.9", True),
        ("http://localhost:8000", True),
        ("https://portal.localhost", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", False),
        ("http://192.168.1.4:8000", False),
        ("https://medrec.example.org", False),
        ("https://localhost.example.org", False),
        ("https://127.0.0.1.example.org", False),
        ("nonsense", False),
    ],
)
def test_which_addresses_are_this_machines_alone(url: str, alone: bool) -> None:
    assert is_loopback(url) == alone


@pytest.fixture
def demo(db: None, chain: object) -> list[User]:
    """Two of the demo's people, and one who has a password of his own."""
    del db, chain
    admin = signup.create_administrator(email=ADMINISTRATOR.email, name="Ada", password=PASSWORD)
    people = [admin]
    for person, password in ((ASHA, PASSWORD), (BEN, "nine small copper kettles")):
        user, _ = signup.create_person(
            email=person.email, name=person.name, date_of_birth=person.born, password=password
        )
        people.append(user)
    return people


def active() -> set[str]:
    """Return the people who may sign in."""
    return set(User.objects.filter(is_active=True).values_list("email", flat=True))


def sign_in(email: str) -> bool:
    """Return whether the published password signs in."""
    answer = Client().post("/accounts/login/", {"login": email, "password": PASSWORD})
    return bool(answer.status_code == 302 and "inactive" not in answer["Location"])


@pytest.mark.django_db
@pytest.mark.parametrize("wanted", [None, "1"])
def test_no_demo_is_made_where_others_reach_the_portal(
    wanted: str | None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_URL = REMOTE
    monkeypatch.delenv("DEMO", raising=False)
    if wanted is None:
        assert prepare.seed_demo() == []
    else:
        monkeypatch.setenv("DEMO", wanted)
        with pytest.raises(CommandError, match="published password"):
            prepare.seed_demo()
    assert not User.objects.exists()


def test_the_published_password_is_an_error_there_and_none_here(demo: list[User], settings: Any) -> None:
    assert [found for found in run_checks(databases=DATABASES) if found.id == "records.E006"] == []
    settings.PUBLIC_URL = REMOTE
    assert check_demo(None) == []  # no database was to be asked
    (error,) = [found for found in run_checks(databases=DATABASES) if found.id == "records.E006"]
    assert error.msg.endswith(f"{ADMINISTRATOR.email}, {ASHA.email}.")
    assert "close_demo" in str(error.hint)
    del demo


def test_closing_deactivates_who_still_has_it_and_nobody_else(demo: list[User], settings: Any) -> None:
    other = make_person()
    everybody = active()
    assert prepare.close_demo() == []
    assert active() == everybody
    assert sign_in(ADMINISTRATOR.email)
    settings.PUBLIC_URL = REMOTE
    said = prepare.close_demo()
    assert f"{ADMINISTRATOR.email} is deactivated." in said
    assert "createsuperuser" in said[-1]
    assert active() == {BEN.email, other.email}
    assert not sign_in(ADMINISTRATOR.email)
    assert prepare.close_demo() == []
    assert run_checks(databases=DATABASES) == []
    del demo


@pytest.mark.django_db
def test_the_command_says_what_it_did(settings: Any) -> None:
    for url, words in (
        ("http://127.0.0.1:8000", "this machine's alone"),
        (REMOTE, "None of the demo's people"),
    ):
        settings.PUBLIC_URL = url
        said = StringIO()
        call_command("close_demo", stdout=said)
        assert words in said.getvalue()
