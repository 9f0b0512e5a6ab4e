"""How far the demo's story has been told, and waiting for the chain between its chapters."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from chain.errors import ChainUnavailable
from chain.models import Act
from chain.status.summary import chain_status
from chain.tasks import relay, sync

CHAIN_SECONDS = 180.0


class Progress:
    """Which chapters have been told. A file, so that an interrupted demo goes on with the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.begun = path.exists()
        self._told: list[str] = json.loads(path.read_text()) if self.begun else []

    def begin(self) -> None:
        """Begin anew, whatever an earlier database's demo has left."""
        self._told = []
        self._save()

    def once(self, chapter: Callable[[], None]) -> None:
        """Tell a chapter unless it has been told."""
        if chapter.__name__ in self._told:
            return
        chapter()
        self._told.append(chapter.__name__)
        self._save()

    def _save(self) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(self._told))
        draft.replace(self._path)


def wait_for_chain() -> None:
    """Until every act queued by now is settled. Sends and reads itself, since no worker may be running.

    Raises ChainUnavailable after CHAIN_SECONDS.
    """
    queued = list(Act.objects.waiting().values_list("pk", flat=True))
    deadline = time.monotonic() + CHAIN_SECONDS
    while True:
        relay()
        sync()
        if not Act.objects.waiting().filter(pk__in=queued).exists():
            return
        if time.monotonic() > deadline:
            reason = chain_status().paused_reason
            raise ChainUnavailable(reason or "The chain has not confirmed what was sent.")
        time.sleep(0.3)
