"""PostgreSQL that hangs, or takes too long, ends a web process's statement. A command may take its time."""

from collections.abc import Iterator
from typing import Any

import environ
import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

import medrec.postgresql
from medrec.postgresql import base
from tests.servers.postgres import PostgresServer, require_postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server."""
    with PostgresServer(require_postgres()) as server:
        yield server


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is a web process, of little patience."""
    monkeypatch.setitem(medrec.postgresql._state, "limited", True)
    monkeypatch.setattr(base, "STATEMENT_SECONDS", 1.0)
    monkeypatch.setattr(base, "ANSWER_SECONDS", 2.0)


@pytest.fixture
def connection(postgres: PostgresServer, django_db_blocker: DjangoDbBlocker) -> Iterator[BaseDatabaseWrapper]:
    """A connection as a request has it."""
    database: dict[str, Any] = environ.Env.db_url_config(postgres.url("postgres"))
    database |= {"ENGINE": "medrec.postgresql", "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    database["OPTIONS"] = {"connect_timeout": 2}
    handler = ConnectionHandler({"default": database})
    with django_db_blocker.unblock():
        yield handler["default"]
        handler.close_all()


def ask(connection: BaseDatabaseWrapper, statement: str) -> Any:
    """The first value."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def begin_request(connection: BaseDatabaseWrapper) -> None:
    """Do what Django does before a request."""
    connection.health_check_done = False  # type: ignore[attr-defined]
    connection.close_if_unusable_or_obsolete()


@pytest.mark.usefixtures("limited")
def test_a_server_that_hangs_is_hung_up_on(postgres: PostgresServer, connection: BaseDatabaseWrapper) -> None:
    assert ask(connection, "SELECT 1") == 1
    with postgres.frozen():
        with pytest.raises(OperationalError, match="no answer in 2 seconds"):
            ask(connection, "SELECT 2")
        begin_request(connection)
        with pytest.raises(OperationalError):  # and a new connection is not waited for, either
            ask(connection, "SELECT 3")
    begin_request(connection)
    assert ask(connection, "SELECT 4") == 4


@pytest.mark.usefixtures("limited")
def test_a_statement_that_takes_too_long_is_ended(connection: BaseDatabaseWrapper) -> None:
    with pytest.raises(OperationalError, match="statement timeout"):
        ask(connection, "SELECT 1 FROM pg_sleep(30)")
    assert ask(connection, "SELECT 2") == 2


def test_a_command_may_take_its_time(connection: BaseDatabaseWrapper) -> None:
    assert ask(connection, "SHOW statement_timeout") == "0"


@pytest.mark.usefixtures("limited")
def test_a_request_after_a_restart_does_not_fail(
    postgres: PostgresServer, connection: BaseDatabaseWrapper
) -> None:
    assert ask(connection, "SELECT 1") == 1
    postgres.stop()
    postgres.start()
    begin_request(connection)
    assert ask(connection, "SELECT 2") == 2
