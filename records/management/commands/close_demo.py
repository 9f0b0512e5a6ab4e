"""manage.py close_demo: deactivate the demo's people on a portal that others reach."""

from typing import Any

from django.core.management.base import BaseCommand

from records.demo.closing import close_demo, demo_is_allowed


class Command(BaseCommand):
    """`make run` does the same at its start."""

    help = "Deactivate the demo's people, whose password is published, where others reach the portal."
    requires_system_checks = ()  # one of them sends people here

    def handle(self, *args: Any, **options: Any) -> None:
        """Say who was deactivated."""
        del args, options
        if demo_is_allowed():
            self.stdout.write("PUBLIC_URL is this machine's alone: the demo's people may stay.")
            return
        closed = close_demo()
        for email in closed:
            self.stdout.write(f"{email} is deactivated.")
        if not closed:
            self.stdout.write("None of the demo's people can sign in with the published password.")
