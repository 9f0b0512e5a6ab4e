"""Threads for requests. So many run at once, and a request that waits for its client lets another run."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

IDLE_SECONDS = 30.0
"""How long a thread without work stays."""
MOST_ASIDE = 32
"""Requests that may wait for another program without a turn. Those beyond it keep theirs."""

Job = Callable[[], None]


class Waiter(Protocol):
    """A request that waits for its client."""

    peer: str
    """Who the client is: its address."""

    def pace(self) -> float:
        """Return the bytes a second that the client moved while it was waited for."""

    def cut(self) -> None:
        """End the connection, so that the wait ends."""


class TurnPool:
    """Threads that share a number of turns. Takes the place of a `ThreadPoolExecutor` in gunicorn's worker.

    A request runs while it holds a turn. It gives the turn away while it waits for its client, and queues for
    another one afterwards, behind those who queued before. So `turns` bounds the work at one time, and
    `most_waiting` bounds how many threads clients can hold up. Beyond that a connection is cut off: the
    slowest of the client that has the most. A request that must stay, since others wait for what it holds (a
    lock of the database), keeps its turn.
    """

    def __init__(
        self, turns: int, most_waiting: int, end_thread: Callable[[], None], must_stay: Callable[[], bool]
    ) -> None:
        """Make no thread yet. `end_thread` runs in each thread at its end, `must_stay` before a wait."""
        self._lock = threading.Lock()
        self._free = turns
        self._queue: deque[Callable[[], None]] = deque()
        self._idle: list[SimpleQueue[Job]] = []
        self._waiting: dict[Waiter, None] = {}
        self._aside = 0
        self._most_waiting = most_waiting
        self._end_thread, self._must_stay = end_thread, must_stay

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Run the function in a thread, in its turn."""
        future: Future[Any] = Future()

        def job() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)

        self._enqueue(lambda: self._begin(job))
        return future

    @contextmanager
    def waiting(self, waiter: Waiter) -> Iterator[None]:
        """Wait for a client inside the `with`, without a turn."""
        if self._must_stay():
            yield
            return
        with self._lock:
            self._waiting[waiter] = None
            slowest = self._slowest() if len(self._waiting) > self._most_waiting else None
            self._give_back()
        if slowest is not None:
            slowest.cut()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(waiter, None)
            self._take_turn()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Wait for another program inside the `with`, without a turn."""
        with self._lock:
            steps = self._aside < MOST_ASIDE
        if not steps or self._must_stay():
            yield
            return
        with self._lock:
            self._aside += 1
            self._give_back()
        try:
            yield
        finally:
            with self._lock:
                self._aside -= 1
            self._take_turn()

    def shutdown(self, wait: bool = False) -> None:
        """Do nothing: threads end with the process, and gunicorn has waited for what was under way."""
        del wait

    def _slowest(self) -> Waiter:
        """Take out the slowest connection of the client that has the most. The lock is held."""
        sizes = Counter(waiter.peer for waiter in self._waiting)
        most = max(sizes.values())
        slowest = min((one for one in self._waiting if sizes[one.peer] == most), key=lambda one: one.pace())
        del self._waiting[slowest]
        return slowest

    def _take_turn(self) -> None:
        """Queue for a turn, and return with it."""
        turn = threading.Event()
        self._enqueue(turn.set)
        turn.wait()

    def _enqueue(self, start: Callable[[], None]) -> None:
        with self._lock:
            self._queue.append(start)
            self._give_turns()

    def _give_back(self) -> None:
        """Give a turn back. The lock is held."""
        self._free += 1
        self._give_turns()

    def _give_turns(self) -> None:
        """Hand free turns to those who queue, in their order. The lock is held."""
        while self._free and self._queue:
            self._free -= 1
            self._queue.popleft()()

    def _begin(self, job: Job) -> None:
        """Hand a job to the thread that was idle last, else to a new one. The lock is held."""
        if self._idle:
            self._idle.pop().put(job)
        else:
            threading.Thread(target=self._run, args=(job,), daemon=True, name="request").start()

    def _run(self, job: Job) -> None:
        """Run jobs until none comes for a while."""
        inbox: SimpleQueue[Job] = SimpleQueue()
        try:
            while True:
                job()
                del job  # nothing of a request stays in memory for the next
                with self._lock:
                    self._idle.append(inbox)
                    self._give_back()
                job = self._next_job(inbox)
        except Empty:
            self._end_thread()

    def _next_job(self, inbox: "SimpleQueue[Job]") -> Job:
        """Wait for a job. Raises Empty when there is none for a while."""
        with suppress(Empty):
            return inbox.get(timeout=IDLE_SECONDS)
        with self._lock:
            if inbox in self._idle:
                self._idle.remove(inbox)
                raise Empty
        return inbox.get()  # it was handed over just now
