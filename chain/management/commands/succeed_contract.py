"""manage.py succeed_contract: a successor takes the contract's place. docs/OPERATIONS.md has the steps."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain.errors import ChainError, explain
from chain.models import Cursor
from chain.operations.succession import join, succeed
from chain.support.pasted_text import NotAnAddress, plain_address

_SILENCE = 6.0  # seconds: a worker that runs notes more often that it reads


class Command(BaseCommand):
    """Everything of the portal is stopped meanwhile."""

    help = (
        "Deploy a successor of the contract in use, with the same origin, copy all that it holds, and go over"
        " to it. Stop web, worker and beat of every portal that shares the contract first. Interrupted, it"
        " goes on when run again. Until its last step the portal is as it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--join is for the other portals that share the contract."""
        parser.add_argument(
            "--join", metavar="ADDRESS", help="go over to this successor, which another portal has made"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say how far it is."""
        del args
        self._check_stopped()
        try:
            if options["join"]:
                join(plain_address(options["join"]), self.stdout.write)
            else:
                succeed(self.stdout.write)
        except ChainError as problem:
            raise CommandError(explain(problem)) from problem
        except NotAnAddress as problem:
            raise CommandError(f"--join: {problem}") from problem

    def _check_stopped(self) -> None:
        before = list(Cursor.objects.values())
        time.sleep(_SILENCE)
        if before != list(Cursor.objects.values()):
            raise CommandError(
                "The portal still runs. Stop its web server, worker and beat, and run this again."
            )
