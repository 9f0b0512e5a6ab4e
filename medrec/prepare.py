"""Prepares a start: tables, static files, keys, contract, and once the demo."""

import hashlib
import io
import os
import shutil
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import connections

from chain.errors import ChainError, explain
from chain.operations.start_up import check_before_migrating, read_notices
from chain.restore import incarnation
from records.demo.closing import demo_is_allowed


def check_contract() -> None:
    """Look at the contract before anything is changed: a refused release leaves the tables as they are.

    Raises CommandError.
    """
    try:
        check_before_migrating()
    except ChainError as problem:
        raise CommandError(explain(problem)) from problem


def prepare_files_and_tables() -> None:
    """Migrate, make keys, collect static files if any changed. Counts begin anew."""
    shutil.rmtree(settings.VAR / "metrics", ignore_errors=True)  # of web processes that are gone
    call_command("migrate", interactive=False, verbosity=0)
    call_command("make_keys", stdout=io.StringIO())
    stamp, now = settings.VAR / "static.stamp", _static_digest()
    if not stamp.exists() or stamp.read_text() != now:
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        stamp.write_text(now)


def prepare_contract(*, fund: bool) -> list[str]:
    """Deploy the contract if the chain has none. `fund`: the relayer gets the local chain's play money.

    Returns lines that say what is there, and what was lost.
    """
    said = io.StringIO()
    call_command("deploy_contract", fund=fund, stdout=said)
    return [*said.getvalue().splitlines(), *read_notices()]


def notice_restore() -> list[str]:
    """Look whether the database is older than what this machine has seen. Lines that say so.

    Sessions end at once. The worker does the rest, once it has read the chain.
    """
    life = incarnation.current()
    connections.close_all()
    if incarnation.unsettled_restore() is not None:
        return [
            f"The database was restored from a backup, noticed {life.began_at:%Y-%m-%d %H:%M:%S %Z}.",
            "Everybody has to sign in again. The worker looks for what was accepted since the backup.",
            "`manage.py after_restore` does the same and says each step.",
        ]
    return []


def seed_demo() -> list[str]:
    """Fill the portal with the demo's people and records. Return the lines on how to sign in.

    DEMO is on where nobody but this machine reaches the portal, and cannot be turned on elsewhere.
    """
    if os.environ.get("DEMO", "1" if demo_is_allowed() else "0") == "0":
        return []
    said = io.StringIO()
    call_command("seed_demo", stdout=said)
    connections.close_all()
    return said.getvalue().splitlines()


def close_demo() -> list[str]:
    """Deactivate the demo's people where others reach the portal. A line that says so."""
    said = io.StringIO()
    call_command("close_demo", stdout=said)
    closed = [line for line in said.getvalue().splitlines() if line.endswith("is deactivated.")]
    if closed:
        closed.append("Their password is published. Make an administrator with `manage.py createsuperuser`.")
    return closed


def _static_digest() -> str:
    """Changes when a static file's name, size or time does."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
