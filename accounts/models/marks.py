"""Marks by which a database knows again what belongs to it."""

from django.db import models


class Mark(models.Model):
    """A value that follows from something kept outside the database, as SECRET_KEY is."""

    name = models.CharField(primary_key=True, max_length=32)
    value = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.name
