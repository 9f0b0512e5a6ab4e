"""Django's PostgreSQL backend. In a web process no statement waits for ever.

A server whose network is gone is noticed by TCP (medrec/settings.py). One that is stopped keeps its side of
the connection open and says nothing: only a clock on this side ends that. Commands and workers have none,
since a migration or a resync may take long, and a worker goes on where it was.
"""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection, OperationalError
from psycopg.errors import _WaitTimeout

from medrec.postgresql import are_statements_limited

STATEMENT_SECONDS = 20.0
"""After which the server ends a statement of a web process."""
ANSWER_SECONDS = 25.0
"""After which a web process hangs up on a server that has said nothing."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with deadlines where they were asked for."""

    def get_connection_params(self) -> dict[str, Any]:
        """Tell the server how long a statement may take, and a transaction of a process that hangs."""
        params: dict[str, Any] = super().get_connection_params()
        if are_statements_limited():
            limits = f"-c statement_timeout={STATEMENT_SECONDS:.0f}s"
            limits += " -c idle_in_transaction_session_timeout=60s"
            params["options"] = f"{params.get('options', '')} {limits}".strip()
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect."""
        connection = super().get_new_connection(conn_params)
        if are_statements_limited():
            connection.wait = _wait_with_deadline(connection)
        return connection


def _wait_with_deadline(connection: "Connection[Any]") -> Any:
    wait = connection.wait

    def wait_at_most(*args: Any, **named: Any) -> Any:
        try:
            return wait(*args, **{"timeout": ANSWER_SECONDS, **named})
        except _WaitTimeout as error:
            connection.pgconn.finish()  # its answer, if one comes, belongs to nobody
            raise OperationalError(f"no answer in {ANSWER_SECONDS:.0f} seconds") from error

    return wait_at_most
