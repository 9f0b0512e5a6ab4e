"""Answers where no view does: JSON below /api/, pages elsewhere, 503 for a database that is away."""

import errno
from collections.abc import Callable
from typing import Any, cast

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client

from medrec.errors import outage_of
from medrec.middleware import PROBES
from records.errors import ChainDown, NoRoom, RecordsError, StoreDown
from records.web.doors import refuse

AWAY = [
    OperationalError("the connection is lost"),
    InterfaceError("the connection is closed"),
]
FULL = [
    OperationalError("database or disk is full"),
    OperationalError('could not extend file "base/1": No space left on device'),
    OSError(errno.ENOSPC, "No space left on device"),
]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Have one of the middlewares raise an error, as sessions and views do."""

    def arrange(error: Exception) -> None:
        def raise_it(self: object, request: HttpRequest) -> HttpResponse:
            del self, request
            raise error

        monkeypatch.setattr("accounts.sign_in.known_browsers.KnownBrowserMiddleware.__call__", raise_it)

    return arrange


def ask(path: str, **more: Any) -> HttpResponse:
    """The answer, as a server would give it."""
    return cast(HttpResponse, Client(raise_request_exception=False).get(path, **more))


def check_json(answer: HttpResponse, status: int) -> None:
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert list(answer.json()) == ["error"]  # type: ignore[attr-defined]


@pytest.mark.django_db
@pytest.mark.parametrize(("errors", "status"), [(AWAY, 503), (FULL, 507)])
def test_an_outage_is_said_with_a_time_to_come_again(
    raising: Callable[[Exception], None], errors: list[Exception], status: int
) -> None:
    for error in errors:
        raising(error)
        answer = ask("/api/v1/records")
        check_json(answer, status)
        page = ask("/profile/")
        assert page.status_code == status
        assert "Nothing was saved by this" in page.content.decode()
        for each in (answer, page):
            assert int(each["Retry-After"]) > 0
            assert each["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
@pytest.mark.parametrize("error", [StoreDown(), NoRoom(), ChainDown()])
def test_whatever_is_away_says_when_to_come_again(
    monkeypatch: pytest.MonkeyPatch, error: RecordsError
) -> None:
    def raise_it(request: HttpRequest) -> HttpResponse:
        return refuse(request, error)

    monkeypatch.setitem(PROBES, "/healthz", raise_it)
    answer = ask("/healthz")
    assert (answer.status_code, answer["Retry-After"]) == (error.status, "5")


@pytest.mark.django_db
def test_a_fault_of_ours_is_a_500(raising: Callable[[Exception], None]) -> None:
    for error in (ValueError("x"), DatabaseError("no such column"), OSError(errno.EACCES, "not allowed")):
        raising(error)
        check_json(ask("/api/v1/records"), 500)
        page = ask("/profile/")
        assert page.status_code == 500
        assert "Something went wrong on our side" in page.content.decode()


def test_an_outage_is_known_by_what_an_error_came_from() -> None:
    error = KeyError("a session without its row")
    error.__context__ = OperationalError("lost")
    assert outage_of(error) is not None
    assert outage_of(KeyError("x")) is None
    assert outage_of(None) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermissionDenied("x"), 403),
        (SuspiciousOperation("x"), 400),
        (RequestDataTooBig("x"), 413),
    ],
)
def test_what_django_refuses_is_json_to_a_program(
    raising: Callable[[Exception], None], error: Exception, status: int
) -> None:
    raising(error)
    check_json(ask("/api/v1/records"), status)
    assert ask("/profile/")["Content-Type"].startswith("text/html")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/", "/api/v1/nothing", "/api/v2/records", "/api/v1/records/"])
def test_an_unknown_address_of_the_api_is_json(path: str) -> None:
    check_json(ask(path), 404)


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_json_to_a_program() -> None:
    check_json(ask("/api/v1/records", headers={"host": "evil.example"}), 400)
    assert ask("/nothing/").status_code == 404
