"""manage.py relay_acts: sends what waits in the outbox once."""

from typing import Any

from django.core.management.base import BaseCommand

from chain.models import Act
from chain.relayer.sender import run_relayer
from chain.status.summary import chain_status


class Command(BaseCommand):
    """The same as Celery's task, by hand."""

    help = "Send the acts that wait in the outbox."

    def handle(self, *args: Any, **options: Any) -> None:
        """Send, and say what still waits."""
        del args, options
        run_relayer()
        waiting = Act.objects.waiting().count()
        self.stdout.write(chain_status().paused_reason or f"{waiting} acts wait for confirmation")
