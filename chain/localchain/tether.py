"""Children that do not outlive their parent, however it ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(sent: signal.Signals) -> None:
    """On Linux, have the kernel send this process the signal `sent` when its parent ends.

    Elsewhere nothing happens, and only an orderly stop of the parent ends its children.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(sent))


def tie_to_parent() -> Callable[[], None]:
    """Return a `preexec_fn` for Popen: the child is killed when this process ends.

    Start the child from the main thread: the kernel watches the thread that forked.
    """
    parent = os.getpid()

    def tie() -> None:
        end_with_parent(signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)

    return tie
