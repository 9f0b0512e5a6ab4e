"""manage.py make_keys: the portal's own signing keys, as files in var/keys."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chain.keys.portal_keys import NAMES, file_address, key_path, make_key


class Command(BaseCommand):
    """Makes what is missing, and never touches what is there."""

    help = (
        "Make the relayer's, admission, anchor and admin keys in var/keys, unless they are there. Where "
        "CHAIN_CONTRACT_ADDRESS names a contract, only the relayer's: others would have no role in it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each key's file and address. The keys themselves are not shown."""
        del args, options
        for name in ("relayer",) if settings.CHAIN_CONTRACT_ADDRESS else NAMES:
            word = "Made" if make_key(name) else "There already"
            self.stdout.write(f"{word}: {key_path(name)} of address {file_address(name)}")
