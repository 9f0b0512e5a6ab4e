"""The sessions of tests' browsers: a row opens with its browser's cookie alone."""

from typing import Any

from django.contrib.sessions.models import Session
from django.test import Client

from accounts.sessions import open_session, row_id


def session_of(client: Client) -> dict[str, Any]:
    """A browser's session as its row holds it, opened with the browser's cookie."""
    cookie = client.cookies["sessionid"].value
    return open_session(cookie, Session.objects.get(pk=row_id(cookie)).session_data)


def kept_in_sessions(*clients: Client) -> str:
    """Return the content of these browsers' sessions. There is no session besides theirs."""
    assert Session.objects.count() == len(clients), "a session whose browser is not asked for"
    return repr([session_of(client) for client in clients])
