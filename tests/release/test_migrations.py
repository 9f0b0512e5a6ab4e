"""The release before goes on with this release's tables: an upgrade can be taken back, machine by machine.

It inserts rows without the columns that it does not know, and reads all that it knows.
"""

import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.fields import NOT_PROVIDED

from tests.release import DATA
from tests.run.portal import ROOT

# The newest migration of each app in the last release (tests.release.RELEASE).
LAST = {"chain": 8, "accounts": 5, "records": 9}
_HARMLESS = (
    migrations.CreateModel,
    migrations.AddIndex,
    migrations.RemoveIndex,
    migrations.RemoveConstraint,
    migrations.RunPython,
)


def operations_since() -> Iterator[tuple[str, str, Operation]]:
    """Each operation of the migrations that the last release does not have. Return its app and migration."""
    for (app, name), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        if app in LAST and int(name.partition("_")[0]) > LAST[app]:
            replaced = [
                one.name for one in migration.operations if isinstance(one, migrations.RemoveConstraint)
            ]
            for operation in migration.operations:
                if isinstance(operation, migrations.AddConstraint) and operation.constraint.name in replaced:
                    continue  # looked at by hand: a list of states that became longer
                yield app, name, operation


def spoils(operation: Operation, former: ProjectState | None = None, app: str = "") -> str:
    """Why the release before could not go on with the tables; empty where it could."""
    if isinstance(operation, _HARMLESS):
        return ""
    if isinstance(operation, migrations.AddField):
        return "" if _is_optional(operation.field) else f"{operation.name} has neither null nor db_default"
    if isinstance(operation, migrations.AlterField) and former is not None:
        model = former.models.get((app, operation.model_name_lower))
        if model is None or operation.name not in model.fields:
            return ""  # not of the release before
        return _narrows(model.fields[operation.name], operation.field)
    return f"{type(operation).__name__} takes away or forbids what the release before relies on"


def _is_optional(field: models.Field) -> bool:  # type: ignore[type-arg]
    return field.null or field.db_default is not NOT_PROVIDED or isinstance(field, models.ManyToManyField)


def _narrows(before: models.Field, after: models.Field) -> str:  # type: ignore[type-arg]
    if before.null and not after.null:
        return f"{after.name} is not nullable any more"
    if type(before) is not type(after):
        return f"{after.name} is of another type"
    shorter = (after.max_length or sys.maxsize) < (before.max_length or sys.maxsize)
    return f"{after.name} is shorter" if shorter else ""


def test_no_migration_spoils_the_tables_for_the_release_before() -> None:
    loader = MigrationLoader(None)
    names = {(app, int(name[:4])): (app, name) for app, name in loader.disk_migrations if app in LAST}
    former = loader.project_state([names[last] for last in LAST.items()])
    problems = [
        f"{app}.{name}: {spoils(operation, former, app)}" for app, name, operation in operations_since()
    ]
    assert [problem for problem in problems if not problem.endswith(": ")] == []


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("act", "lane"),
        migrations.DeleteModel("act"),
        migrations.RenameField("act", "lane", "road"),
        migrations.RenameModel("act", "deed"),
        migrations.AddField("upload", "part_bytes", models.IntegerField(default=0)),
        migrations.AddConstraint("act", models.UniqueConstraint(fields=("lane",), name="one")),
        migrations.RunSQL("DROP TABLE chain_act"),
    ],
)
def test_what_the_release_before_cannot_bear_is_noticed(operation: Operation) -> None:
    assert spoils(operation)


def test_every_row_of_the_release_before_can_be_inserted_as_it_did(tmp_path: Path) -> None:
    with tarfile.open(DATA) as archive:
        archive.extract("var/medrec.sqlite3", tmp_path, filter="data")
    file = tmp_path / "var" / "medrec.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        rows = {table: _rows(database, table) for table in _tables(database)}
    environment = os.environ | {"VAR": str(tmp_path / "var"), "DATABASE_URL": f"sqlite:///{file}"}
    environment |= {"DJANGO_SETTINGS_MODULE": "medrec.settings"}
    migrate = [sys.executable, "manage.py", "migrate", "--skip-checks", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, timeout=180)
    with closing(sqlite3.connect(file)) as database:
        for table, (columns, values) in rows.items():
            database.execute(f'DELETE FROM "{table}"')
            places = ", ".join("?" for _ in columns)
            named = ", ".join(f'"{column}"' for column in columns)
            database.executemany(f'INSERT INTO "{table}" ({named}) VALUES ({places})', values)
    assert sum(len(values) for _, values in rows.values()) > 100


def _tables(database: sqlite3.Connection) -> list[str]:
    found = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return [name for (name,) in found if name.split("_")[0] in LAST]


def _rows(database: sqlite3.Connection, table: str) -> tuple[list[str], list[tuple[object, ...]]]:
    cursor = database.execute(f'SELECT * FROM "{table}"')
    return [column[0] for column in cursor.description], cursor.fetchall()
