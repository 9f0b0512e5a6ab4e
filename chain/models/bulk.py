"""Many rows at once."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)

BATCH = 500  # rows, or values, a statement: SQLite takes 999 parameters


def batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Values in their order, as many at a time as a statement takes."""
    given = list(values)
    return (given[start : start + BATCH] for start in range(0, len(given), BATCH))


def rows_in(rows: QuerySet[Row], field: str, values: Iterable[Any]) -> Iterator[Row]:
    """The rows whose field is one of many values."""
    for some in batches(values):
        yield from rows.filter(**{f"{field}__in": some})
