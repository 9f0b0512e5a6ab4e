"""`python -m tests.servers -- COMMAND ...`: runs a command with a PostgreSQL and a Redis server of its own.

Its exit code is the command's.
"""

import os
import subprocess
import sys

from tests.servers.postgres import PostgresServer, require_postgres
from tests.servers.redis import RedisServer, require_redis


def main(arguments: list[str]) -> int:
    """Start both, run the command, stop both."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        sys.stderr.write("usage: python -m tests.servers -- COMMAND ...\n")
        return 2
    with PostgresServer(require_postgres()) as postgres, RedisServer(require_redis()) as redis:
        addresses = {
            "DATABASE_URL": postgres.url("postgres"),
            "CELERY_BROKER_URL": redis.url(0),
            "CACHE_URL": redis.url(1),
        }
        code = subprocess.run(command, env=os.environ | addresses).returncode
        if trouble := postgres.trouble():
            sys.stderr.write("\n".join(["PostgreSQL had trouble of its own:", *trouble[-20:], ""]))
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
