"""Runs of a person's key tasks: by a POST of that person, one at a time, each a while after the last."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Errand, OpenVault, User, Vault
from accounts.services import errands
from accounts.services.key_tasks import LEASE, PACE, count_waiting, due_tasks, run_in_turn
from accounts.services.signup import open_actor
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.people import PASSWORD, make_person

pytestmark = pytest.mark.django_db

SCRIPT = {"accept": "application/json"}


@pytest.fixture
def user(chain: ChainNode) -> User:
    """A person whose key is published, so that nothing waits."""
    user = make_person()
    chain.settle()
    return user


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leave a task for a person; `during` is called while it runs."""
    during: list[Callable[[], object]] = []
    monkeypatch.setitem(errands._runners, "a-task", lambda *_: bool([call() for call in during] or True))

    def leave(user: User, subject: str = "one", *, meanwhile: Callable[[], object] | None = None) -> None:
        during.extend([meanwhile] if meanwhile else [])
        errands.add_errand(account=user.accounts.get().address, kind="a-task", subject=subject)

    return leave


def left() -> int:
    return Errand.objects.filter(kind="a-task", state=Errand.State.OPEN).count()


def test_one_run_at_a_time_per_person(user: User, task: Callable[..., None]) -> None:
    browser, other = sign_in(user), sign_in(user)
    seen: list[object] = []

    def press_elsewhere() -> None:
        errands.add_errand(account=user.accounts.get().address, kind="a-task", subject="two")
        seen.append(other.post("/key-tasks/", headers=SCRIPT).json())

    task(user, meanwhile=press_elsewhere)
    assert browser.post("/key-tasks/", headers=SCRIPT).json() == {"done": 1, "due": 1}
    assert seen == [{"done": 0, "due": 1}]


def test_runs_are_seconds_apart_and_a_dead_one_holds_up_nobody_for_long(
    user: User, task: Callable[..., None]
) -> None:
    actor = open_actor(user, PASSWORD)
    vault = Vault.objects.filter(user=user)
    for subject, moment, done in (
        ("first", None, 1),
        ("at once again", None, 0),
        ("later", timezone.now() - PACE, 1),
        ("while another runs", timezone.now() + LEASE - timedelta(seconds=1), 0),
        ("of a clock that was wrong", timezone.now() + timedelta(days=1), 1),
    ):
        Errand.objects.filter(kind="a-task").delete()
        task(user, subject)
        if moment is not None:
            vault.update(key_tasks_after=moment)
        assert run_in_turn(user, [actor]) == done, subject


def test_where_nothing_is_due_no_turn_is_taken(user: User) -> None:
    assert run_in_turn(user, [open_actor(user, PASSWORD)]) == 0
    assert Vault.objects.get(user=user).key_tasks_after is None


def test_only_the_person_with_open_keys_runs_them_and_only_from_a_page_of_this_portal(
    user: User, task: Callable[..., None]
) -> None:
    task(user)
    stranger = sign_in(make_person("Bob Hill"))
    assert stranger.post("/key-tasks/", headers=SCRIPT).json()["done"] == 0
    assert Client().post("/key-tasks/").status_code in (302, 403)
    foreign = Client(enforce_csrf_checks=True)
    foreign.cookies = sign_in(user).cookies
    assert foreign.post("/key-tasks/").status_code == 403
    browser = sign_in(user)
    assert browser.get("/key-tasks/").status_code == 405
    OpenVault.objects.all().delete()
    assert browser.post("/key-tasks/", headers=SCRIPT).status_code == 403
    assert left() == 1


def test_what_was_tried_is_no_news(user: User, task: Callable[..., None]) -> None:
    task(user)
    assert (due_tasks(user).total, due_tasks(user).untried) == (1, 1)
    assert due_tasks(user).running == "Finishing 1 thing that needed you ..."
    Errand.objects.filter(kind="a-task").update(attempts=1, tried_at=timezone.now() - timedelta(minutes=1))
    assert (due_tasks(user).total, due_tasks(user).untried) == (1, 0)
    Errand.objects.filter(kind="a-task").update(tried_at=timezone.now())
    assert due_tasks(user).total == 0
    assert count_waiting(open_actor(user, PASSWORD)) == 1


def test_a_page_with_closed_keys_offers_no_run(user: User, task: Callable[..., None]) -> None:
    task(user)
    browser = sign_in(user)
    assert "data-key-tasks" in browser.get("/profile/").content.decode()
    OpenVault.objects.all().delete()
    assert "data-key-tasks" not in browser.get("/profile/").content.decode()
