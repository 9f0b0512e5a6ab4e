"""manage.py move_store: copy all files from one store to another."""

import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from records.services.moving import Move, copy_contents, delete_contents
from records.storage import IpfsStore, LocalStore, Store, address_of
from records.storage.errors import StorageError

_EVERY = 1.0  # seconds between two lines of progress
_MULTIADDR = ("/ip4/", "/ip6/", "/dns/", "/dns4/", "/dns6/")


class Command(BaseCommand):
    """Safe while the portal runs, at any moment to interrupt, and to run again: it goes on."""

    help = (
        "Copy everything that one store keeps into another; CIDs stay, and each byte is checked. First run "
        "it while the portal works on with the old store; then change IPFS_API_URL or STORE_PATH and restart "
        "the portal; then run it again, for what was uploaded meanwhile. Only --delete deletes anything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The two stores."""
        kinds = "`local` (STORE_PATH), `ipfs` (IPFS_API_URL), a folder, or a node's API"
        parser.add_argument("--from", dest="source", required=True, help=kinds)
        parser.add_argument("--to", dest="target", required=True, help=kinds)
        parser.add_argument(
            "--delete",
            action="store_true",
            help="read all of it in its new place, then erase it from the old one; only once the portal uses "
            "the new one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Copy, and say how far it is."""
        del args
        progress = _Progress(self.stderr)
        source, target = _Place(options["source"]), _Place(options["target"])
        if source.name == target.name:
            raise CommandError("The two stores are the same.")
        if options["delete"] and target.name != _Place("ipfs" if settings.IPFS_API_URL else "local").name:
            raise CommandError("The portal does not use the new store yet: nothing is deleted.")
        try:
            old, new = source.open(), target.open()
            move = copy_contents(old, new, progress)
            if options["delete"] and not move.failed:
                delete_contents(old, new, move, progress)
        except StorageError as problem:
            raise CommandError(f"A store does not answer: {problem}. Run it again, it goes on.") from problem
        self._report(move)

    def _report(self, move: Move) -> None:
        deleted = f", {move.deleted:,} deleted from the old store" if move.deleted else ""
        if move.left:
            deleted += f", {move.left:,} left there: another portal put them"
        self.stdout.write(
            f"{move.copied:,} copied ({move.bytes / 2**20:,.1f} MiB), {move.present:,} were there, "
            f"{move.erased:,} left out as erased{deleted}."
        )
        if move.failed:
            raise CommandError("Not copied, and left where they are:\n" + "\n".join(move.failed))


class _Place:
    """A store as the command line names it. Raises CommandError."""

    def __init__(self, text: str) -> None:
        if text == "ipfs" and not settings.IPFS_API_URL:
            raise CommandError("IPFS_API_URL is not set: name the node's API, as http://127.0.0.1:5001.")
        given = {"local": str(settings.STORE_PATH), "ipfs": settings.IPFS_API_URL}.get(text, text)
        self._is_node = given.startswith(("http://", "https://", *_MULTIADDR))
        self._given = given
        try:
            self.name = address_of(given) if self._is_node else str(Path(given).resolve())
        except ValueError as problem:
            raise CommandError(str(problem)) from problem

    def open(self) -> Store:
        return IpfsStore(self._given) if self._is_node else LocalStore(Path(self._given))


class _Progress:
    """A line every second, and at the end."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream
        self._shown = 0.0

    def __call__(self, step: str, move: Move) -> None:
        done = move.deleted if step == "deleted" else move.done
        if done == move.all or time.monotonic() - self._shown > _EVERY:
            self._shown = time.monotonic()
            self._stream.write(f"{step}: {done:,} of {move.all:,}, {move.bytes / 2**20:,.1f} MiB now\n")
