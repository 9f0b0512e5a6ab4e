"""A backup of the database alone, and its restoring: chain and store stay as they are."""

from django.db import connection
from django.db.models import Model

from tests.records.reconcile.story import models


class Backup:
    """Every row of the portal's tables, as they are now."""

    def __init__(self) -> None:
        self._rows: dict[type[Model], list[Model]] = {
            model: list(model._base_manager.all()) for model in models()
        }

    def restore(self) -> None:
        """Put the rows back in place of what has come since."""
        with connection.cursor() as cursor:
            for model in self._rows:
                table = connection.ops.quote_name(model._meta.db_table)
                cursor.execute(f"DELETE FROM {table}")
        for model, rows in self._rows.items():
            model._base_manager.bulk_create(rows)
