"""Asking a worker to look now; once for the many who ask within half a second.

No message names a time: a worker whose clock is another would drop it, or keep it for an hour.
"""

import time
from threading import Lock, Timer

from celery import current_app
from kombu.connection import Connection
from kombu.exceptions import ChannelError

from chain.support.breaker import Breaker

APART = 0.5  # seconds between two nudges of one process
ENOUGH = 20  # messages that wait in a queue: with so many, one more would have nobody look any sooner

_broker = Breaker("the broker")


class Wakeup:
    """Has a task run soon after it is asked for. The task also runs by the clock: a nudge may be lost."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._lock = Lock()
        self._comes = float("-inf")  # when the last one asked for is sent

    def give(self) -> None:
        """Nudge, unless one that was asked for is still to come. What a broker raises is logged, no more."""
        with self._lock:
            now = time.monotonic()
            if now < self._comes:
                return
            wait = max(0.0, self._comes + APART - now)
            self._comes = now + wait
        if wait == 0.0:
            self._send()
        else:
            self._send_later(wait)

    def _send_later(self, wait: float) -> None:
        timer = Timer(wait, self._send)
        timer.daemon = True
        timer.start()

    def _send(self) -> None:
        ask_for_task(self._task)


def ask_for_task(task: str, *arguments: object) -> None:
    """Send a task's message, unless enough wait. A broker that fails is not asked for a while.

    The message may be lost.
    """
    if not _broker.may_ask():
        return
    try:
        with current_app.producer_or_acquire() as producer:
            if count_messages(producer.connection, queue_of(task)) < ENOUGH:
                more = {"args": arguments} if arguments else {}
                current_app.send_task(task, producer=producer, retry=False, **more)
    except Exception as problem:  # whatever it is must not undo what was accepted
        _broker.note_failure(problem)
    else:
        _broker.note_answer()


def queue_of(task: str) -> str:
    """Return the queue that a task's messages wait in."""
    return str(current_app.amqp.router.route({}, task)["queue"].name)


def count_messages(broker: Connection, queue: str) -> int:
    """Count the messages that wait for a worker in a queue; 0 where there is no queue yet."""
    try:
        with broker.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)
    except (ChannelError, *broker.channel_errors):
        return 0
