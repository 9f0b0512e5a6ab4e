"""The queue in a folder that a portal without a broker uses: kombu's, but a message appears whole.

kombu opens a message's file under its final name and then fills it. A worker that looked in between took an
empty message, and died of it.
"""

import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Writes each file under a name nobody looks for, then gives it its own."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Put a message onto a queue. Raises ChannelError when it cannot be written."""
        del kwargs
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"  # as kombu's _get expects it
        file = Path(self.data_folder_out) / name
        draft = file.with_name(name + ".draft")
        try:
            draft.write_text(dumps(payload))
            draft.replace(file)
        except OSError as problem:
            with suppress(OSError):  # a full disk gets its space back
                draft.unlink()
            raise ChannelError(f"Cannot add {file} to the queue") from problem

    def _queue_bind(self, exchange: str, *names: Any) -> None:
        """Bind a queue to an exchange. The exchange's file is there and whole before anybody reads it."""
        file: Path = self._exchange_file(exchange)  # type: ignore[no-untyped-call]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            draft = file.with_name(f"{file.name}.{uuid.uuid4()}.draft")
            try:
                draft.write_text(dumps([]))
                with suppress(FileExistsError):
                    os.link(draft, file)
            finally:
                draft.unlink(missing_ok=True)
        super()._queue_bind(exchange, *names)  # type: ignore[no-untyped-call]


class Transport(filesystem.Transport):
    """What `filesystem://` means here (medrec/celery.py)."""

    Channel = Channel
