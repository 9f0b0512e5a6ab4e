"""Databases of a scenario: one that is used, an empty one for the replay. SQLite files, or on a server."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from django.core.management import call_command
from django.db import connections

from tests.faults.processes import ask


@dataclass(frozen=True)
class Database:
    """A database's name in Django's settings: a file's path, or its name on the server."""

    name: str

    def use(self) -> None:
        """Have this process work on it; before its first query."""
        connection = connections["default"]
        connection.close()
        connection.connection = None  # a database in memory, of tests before in this process, does not close
        connection.settings_dict["NAME"] = self.name


def make_databases(folder: Path, *, template: Path | None) -> tuple[Database, Database]:
    """Two databases with tables and no rows. `template`: a migrated SQLite file, made if it is missing."""
    if connections.settings["default"]["ENGINE"].endswith("sqlite3"):
        return _files(folder, template)
    return _on_server()


def copy_database(source: Database, target: Database) -> None:
    """Put a database in the place of another one, or of none. Nobody works on either."""
    if not connections.settings["default"]["ENGINE"].endswith("sqlite3"):
        ask(_drop, [target.name])
        ask(_create, target.name, source.name)
        return
    for end in ("", "-wal", "-shm"):
        Path(target.name + end).unlink(missing_ok=True)
    with closing(sqlite3.connect(source.name)) as old, closing(sqlite3.connect(target.name)) as new:
        old.backup(new)


def drop_databases(*databases: Database) -> None:
    """Remove them from the server. Files go with their folder."""
    if not connections.settings["default"]["ENGINE"].endswith("sqlite3"):
        ask(_drop, [database.name for database in databases])


def _files(folder: Path, template: Path | None) -> tuple[Database, Database]:
    used, empty = folder / "medrec.sqlite3", folder / "replay.sqlite3"
    if template is not None and template.exists():
        shutil.copyfile(template, empty)
    else:
        ask(_migrate, Database(str(empty)))
        with sqlite3.connect(empty) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if template is not None:
            draft = template.with_suffix(f".{token_hex(4)}")
            shutil.copyfile(empty, draft)
            draft.replace(template)
    shutil.copyfile(empty, used)
    return Database(str(used)), Database(str(empty))


def _on_server() -> tuple[Database, Database]:
    word = token_hex(4)
    used, empty = Database(f"faults_{word}"), Database(f"faults_{word}_replay")
    ask(_create, empty.name, None)
    ask(_migrate, empty)
    ask(_create, used.name, empty.name)
    return used, empty


def _migrate(database: Database) -> None:
    database.use()
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)


def _create(name: str, template: str | None) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))


def _drop(names: list[str]) -> None:
    with connections["default"].cursor() as cursor:
        for name in names:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
