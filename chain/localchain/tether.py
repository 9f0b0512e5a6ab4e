"""Children that do not outlive their parent, however it ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def tie_to_parent() -> Callable[[], None] | None:
    """A `preexec_fn` for Popen: on Linux the kernel kills the child when the calling thread's process ends.

    Call it in the main thread, since the kernel watches the thread that forked. None where there is no such
    call; there an orderly stop still ends the children.
    """
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)

    return tie
