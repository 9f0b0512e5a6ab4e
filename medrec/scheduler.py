"""Beat's schedule: by the time that has passed, whatever the date says, without a file.

Celery's own scheduler keeps when each task ran last, by the date: after a step back it sleeps until then.
"""

import time
from typing import Any

from celery.beat import ScheduleEntry, Scheduler
from celery.utils.log import get_logger

from chain.support.wakeup import ENOUGH, count_messages, queue_of

logger = get_logger(__name__)

_AGAIN = 1.0  # seconds


class SteadyScheduler(Scheduler):  # type: ignore[misc]
    """Sends each entry's message every so many seconds, from the start on, unless enough wait already.

    So messages do not pile up while no worker runs, and none of them has to run out.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._due: dict[str, float] = {}  # by the monotonic clock
        super().__init__(*args, **options)

    def setup_schedule(self) -> None:
        """Take the entries of the settings."""
        self.merge_inplace(self.app.conf.beat_schedule)

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due. Return how many seconds to sleep."""
        del args, options
        now = time.monotonic()
        due = [entry for entry in self.schedule.values() if self._due.get(entry.name, now) <= now]
        sent = self._send(due)
        for entry in sent:
            self._due[entry.name] = now + entry.schedule.run_every.total_seconds()
        if len(sent) < len(due):
            return _AGAIN
        return max(min(self._due.values(), default=now + self.max_interval) - time.monotonic(), 0.0)

    def _send(self, entries: list[ScheduleEntry]) -> list[ScheduleEntry]:
        """Send those whose queue does not have enough messages yet. Return them."""
        if not entries:
            return []
        queues = {entry.name: queue_of(entry.task) for entry in entries}
        try:
            waiting = {queue: count_messages(self.producer.connection, queue) for queue in queues.values()}
            room = [entry for entry in entries if waiting[queues[entry.name]] < ENOUGH]
            for entry in room:
                self.apply_async(entry, producer=self.producer, advance=False)
        except Exception as problem:  # a broker that is away comes back
            logger.warning("The periodic tasks could not be asked for: %s", problem)
            self._forget_broker()
            return []
        return room

    def _forget_broker(self) -> None:
        """Have the next message open a connection of its own."""
        for name in ("producer", "connection"):
            self.__dict__.pop(name, None)
