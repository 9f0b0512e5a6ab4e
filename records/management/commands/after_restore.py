"""manage.py after_restore: what has to be done once a backup of the database was put back."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain.indexer.run import run_indexer
from chain.models import Incarnation
from chain.restore import incarnation
from chain.restore.acceptance_log import collect_lost_acts
from chain.status import lag
from records.errors import StoreDown
from records.services.after_restore import settle_restore

LOOK_EVERY = 1.0  # seconds


class Command(BaseCommand):
    """May be run while the portal works, again, and be interrupted. The worker does the same by itself."""

    help = (
        "After a backup of the database was put back: end sessions, read the chain, accept again what was "
        "accepted since the backup, read folder names from the store, tell each person what changed. Prints "
        "a line for each step. Exit code 0: all is done. 1: the node or the store does not answer; run it "
        "again. On more than one machine run it on each, since each keeps what it had accepted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--begin tells of a restore that nothing has noticed. --patience for how long to wait."""
        parser.add_argument(
            "--begin",
            action="store_true",
            help="the database was restored, also if nothing shows it (a copy of the whole machine)",
        )
        parser.add_argument("--if-needed", action="store_true", help="say nothing where nothing was restored")
        parser.add_argument("--patience", type=float, default=600.0, help="seconds to wait for the chain")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say each step."""
        del args
        life = incarnation.begin_restored() if options["begin"] else incarnation.current()
        if life.reason == Incarnation.Reason.RESTORED:
            self.stdout.write(
                f"Life {life.number} of the database began at {life.began_at:%Y-%m-%d %H:%M:%S %Z}."
            )
            self.stdout.write("Sessions and opened vaults from before were ended then.")
        found = collect_lost_acts()
        if incarnation.unsettled_restore() is None:
            if not options["if_needed"]:
                self.stdout.write("Nothing is to be done. If it was restored all the same: --begin.")
            return
        self.stdout.write(f"{found} acts that this machine had accepted are not in the database.")
        self._read_chain(options["patience"])
        try:
            done = settle_restore(say=self.stdout.write)
        except StoreDown as error:
            raise CommandError(f"The file store does not answer. Run this again. ({error})") from error
        if not done:
            raise CommandError("The chain cannot be asked now. Run this again.")
        self.stdout.write("All is done.")

    def _read_chain(self, patience: float) -> None:
        """Read to the head, beside the worker if one runs."""
        deadline = time.monotonic() + patience
        while True:
            run_indexer()
            if lag.knows_chain():
                break
            if time.monotonic() > deadline:
                raise CommandError(f"The chain cannot be read: {lag.measure_lag().error or 'it takes long'}.")
            time.sleep(LOOK_EVERY)
        self.stdout.write(f"The chain is read up to block {lag.measure_lag().indexed}.")
