"""A copy of the database holds no session: neither its cookie nor what it keeps."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.sessions import SessionStore, open_session, row_id
from accounts.tasks import sweep
from tests.accounts.conftest import mailed_code, mailed_link, sign_in
from tests.people import BORN, PASSWORD, fresh_email, make_person
from tests.sessions import session_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]


def stored_sessions() -> str:
    """Every value of every row, as a thief of the database reads it, and as Django opens its own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_key, session_data FROM django_session")
        rows = cursor.fetchall()
    return repr([rows, [session.get_decoded() for session in Session.objects.all()]])


def is_signed_in(client: Client) -> bool:
    """Return whether a page for people who signed in opens."""
    return client.get("/profile/").status_code == 200


def test_no_value_of_the_table_signs_in() -> None:
    client = sign_in(make_person())
    assert is_signed_in(client)
    assert client.cookies["sessionid"].value not in stored_sessions()
    for session in Session.objects.all():
        thief = Client()
        for value in (session.session_key, session.session_data):
            thief.cookies["sessionid"] = value
            assert not is_signed_in(thief)


def test_no_code_and_no_reset_key_stands_in_the_table() -> None:
    email, client = fresh_email("Eve"), Client()
    form = {"name": "Eve Stone", "date_of_birth": str(BORN), "email": email}
    client.post("/accounts/signup/", form | {"password1": PASSWORD, "password2": PASSWORD})
    code = mailed_code()
    assert code in repr(session_of(client))
    assert code not in stored_sessions()

    user, client = make_person(), Client()
    client.post("/accounts/password/reset/", {"email": user.email})
    key = mailed_link().rstrip("/").split("/")[-1].partition("-")[2]
    client.get(mailed_link(), follow=True)
    assert key in repr(session_of(client))
    assert key not in stored_sessions()
    assert str(user.pk) not in stored_sessions()


def test_one_cookie_opens_no_other_row() -> None:
    ada, bob = sign_in(make_person()), sign_in(make_person("Bob Hill"))
    mine, theirs = (client.cookies["sessionid"].value for client in (ada, bob))
    moved = Session.objects.get(pk=row_id(mine)).session_data
    Session.objects.filter(pk=row_id(theirs)).update(session_data=moved)
    assert not is_signed_in(bob)
    assert is_signed_in(ada)


@pytest.mark.parametrize("rubbish", ["", "!!", "AAAA", "é"])
def test_a_row_that_does_not_open_is_an_empty_session(rubbish: str) -> None:
    client = sign_in(make_person())
    Session.objects.update(session_data=rubbish)
    assert not is_signed_in(client)


@pytest.mark.parametrize("cookie", ["", "x", "short-one", "é" * 40, "A" * 5000])
def test_a_strange_cookie_is_no_session(cookie: str) -> None:
    client = Client()
    client.cookies["sessionid"] = cookie
    assert client.get("/profile/").status_code == 302


def test_signing_out_and_cycling_the_key_leave_no_row_behind() -> None:
    client = sign_in(make_person())
    first = client.cookies["sessionid"].value
    assert Session.objects.count() == 1
    client.post("/vault/", {"password": PASSWORD})
    store = SessionStore(first)
    store.cycle_key()
    assert store.session_key is not None
    assert Session.objects.count() == 1
    assert not Session.objects.filter(pk=row_id(first)).exists()
    client.cookies["sessionid"] = store.session_key
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    thief = Client()
    thief.cookies["sessionid"] = store.session_key
    assert not is_signed_in(thief)


@pytest.mark.parametrize("clear", [sweep, lambda: call_command("clearsessions")])
def test_sessions_past_their_time_are_deleted(clear: object) -> None:
    sign_in(make_person())
    kept = sign_in(make_person())
    row = row_id(kept.cookies["sessionid"].value)
    Session.objects.exclude(pk=row).update(expire_date=timezone.now() - timedelta(seconds=1))
    assert callable(clear)
    clear()
    assert [session.pk for session in Session.objects.all()] == [row]


@pytest.mark.django_db(transaction=True)
def test_the_asynchronous_methods_use_the_digest_too() -> None:
    async def use() -> tuple[str, dict[str, object]]:
        store = SessionStore()
        await store.aset("word", "kept")
        await store.asave()
        assert store.session_key is not None
        again = SessionStore(store.session_key)
        assert await again.aexists(store.session_key)
        return store.session_key, await again.aload()

    with ThreadPoolExecutor(1) as pool:  # another test's browser may have left a loop in this thread
        cookie, values = pool.submit(asyncio.run, use()).result()
    assert values == {"word": "kept"}
    assert open_session(cookie, Session.objects.get(pk=row_id(cookie)).session_data) == values
    assert settings.SESSION_ENGINE == "accounts.sessions"
