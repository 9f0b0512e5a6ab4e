"""manage.py resync: the archive and every projection made anew from the chain alone."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from chain.errors import ChainError
from chain.indexer.resync import reapply, resync

_EVERY = 1.0  # seconds between two lines of progress


class Command(BaseCommand):
    """Safe while the portal runs, and at any moment to interrupt."""

    help = (
        "Read the whole chain again, and put what it says in the place of the archive of events and of every "
        "projection. While it reads, the portal goes on as before. Then all is replaced in one transaction: "
        "pages show the old state until it ends, and on SQLite nothing can be saved for its length (about a "
        "second for every 2,000 events; what is sent then may have to be sent again). Interrupted, it leaves "
        "everything as it was. Confirmed acts that the chain does not have wait again, and are sent again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--from-archive asks nothing of the node."""
        parser.add_argument(
            "--from-archive",
            action="store_true",
            help="make the projections anew from the stored events, without asking the node",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say how far it is."""
        del args
        progress = _Progress(self.stderr)
        try:
            count = reapply(progress) if options["from_archive"] else resync(progress)
        except ChainError as problem:
            raise CommandError(f"Nothing has changed: {problem}") from problem
        self.stdout.write(f"{count:,} events; archive and projections are as the chain has them.")


class _Progress:
    """A line for each step as it begins and ends, and every second between."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream
        self._shown = 0.0

    def __call__(self, step: str, done: int, whole: int) -> None:
        unit = "events" if step == "applied" else "blocks"
        if done == whole or time.monotonic() - self._shown > _EVERY:
            self._shown = time.monotonic()
            self._stream.write(f"{step}: {done:,} of {whole:,} {unit}\n")
