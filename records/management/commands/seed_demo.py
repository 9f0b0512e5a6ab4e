"""manage.py seed_demo: people, institutions and records for a first look."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from records.demo.cast import EVERYBODY, PASSWORD
from records.demo.closing import demo_is_allowed
from records.demo.story import DemoWaits, seed_demo


class Command(BaseCommand):
    """Idempotent: goes on where it was interrupted, and leaves a portal alone that has people of its own."""

    help = "Make the demo's people and records, through the services and the chain, and print their sign-ins."

    def handle(self, *args: Any, **options: Any) -> None:
        """Tell the story. The sign-ins are the output."""
        del args, options
        if not demo_is_allowed():
            raise CommandError(
                f"PUBLIC_URL is {settings.PUBLIC_URL}: the demo's people have a published password. They are "
                "made only where nobody but this machine reaches the portal."
            )
        try:
            if not seed_demo():
                return
        except DemoWaits as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"Demo sign-ins, all with the password: {PASSWORD}")
        for person in EVERYBODY:
            self.stdout.write(f"  {person.email:<26} {person.name:<18} {person.role}")
