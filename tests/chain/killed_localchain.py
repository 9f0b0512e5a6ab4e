"""A local chain that kills itself at its KILL_AT-th step on the disk. Run as a module, with its options.

A step is an fsync, a rename or a deletion; KILL_WHEN says whether death comes `before` it or `after` it.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from chain.localchain.__main__ import main

_STEPS = count(1)


def _counted(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step, deadly when it is its turn."""

    def counted(*given: Any, **named: Any) -> Any:
        deadly = next(_STEPS) == int(os.environ["KILL_AT"])
        if deadly and os.environ["KILL_WHEN"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = step(*given, **named)
        if deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return counted


if __name__ == "__main__":
    os.fsync = _counted(os.fsync)
    for name in ("replace", "unlink"):
        setattr(Path, name, _counted(getattr(Path, name)))
    sys.exit(main())
