"""Work that may hang with what it works on: in one thread of a process, so that the others go on."""

from collections.abc import Callable
from threading import Lock


class SingleFlight:
    """Does a work in the thread that asks first. Who asks meanwhile goes on; the first does it once more."""

    def __init__(self, work: Callable[[], int]) -> None:
        self._work, self._lock, self._asked = work, Lock(), False

    def __call__(self) -> int:
        """Return what the work returned, all times together; 0 where another thread is at it.

        What it raises ends it.
        """
        done, self._asked = 0, True
        while self._asked and self._lock.acquire(blocking=False):
            try:
                self._asked = False
                done += self._work()
            finally:
                self._lock.release()
        return done
