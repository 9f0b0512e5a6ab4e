"""manage.py sync_chain: reads the chain's new events once."""

from typing import Any

from django.core.management.base import BaseCommand

from chain.indexer.run import run_indexer
from chain.status.summary import chain_status


class Command(BaseCommand):
    """The same as Celery's task, by hand."""

    help = "Read the chain's new events and apply those deep enough."

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, and say how far."""
        del args, options
        run_indexer()
        status = chain_status()
        self.stdout.write(status.paused_reason or f"Head {status.head}, applied {status.indexed}")
