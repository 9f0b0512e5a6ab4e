"""That tasks run: /readyz looks here."""

from django.db import models


class Pulse(models.Model):
    """A task that every portal runs every second, and when it last did."""

    task = models.CharField(max_length=64, primary_key=True)
    tick = models.BigIntegerField(help_text="Shared clock: when it last came to its end.")

    def __str__(self) -> str:
        return self.task
