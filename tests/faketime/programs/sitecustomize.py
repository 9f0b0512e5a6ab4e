"""Read by Python when it starts: a program of the portal starts itself anew under libfaketime.

Its clock is the real one, less or more what a file of its name says. The monotonic clock stays as it is.
"""

import os
import select
import sys
import time
from typing import Any

_PROGRAMS = {"gunicorn": "web", "worker": "worker", "beat": "beat", "chain.localchain": "chain"}


def _start_anew() -> None:
    names = [name for word, name in _PROGRAMS.items() if word in sys.orig_argv]
    if not names:
        return
    if "FAKETIME_TIMESTAMP_FILE" in os.environ:
        time.sleep = _sleep
        del os.environ["LD_PRELOAD"]  # not for anvil
        return
    clock = {
        "LD_PRELOAD": os.environ["FAKETIME_LIBRARY"],
        "FAKETIME_TIMESTAMP_FILE": f"{os.environ['FAKETIME_FOLDER']}/{names[0]}",
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    os.execve(sys.executable, sys.orig_argv, os.environ | clock)


def _sleep(seconds: Any) -> None:
    """Sleep. Libfaketime takes clock_nanosleep until a monotonic moment for one until a date."""
    select.select([], [], [], seconds)


_start_anew()
