"""gunicorn's settings, the same everywhere. A flag on its command line changes a single one."""

import os
import signal
from typing import Any

from chain.localchain.tether import end_with_parent

worker_class = "medrec.server.worker.ReadAheadWorker"
workers = 2
threads = 8  # requests that run at one time in a process; those that wait for their clients do not count
worker_connections = 1000  # of a process; beyond, the oldest that waits for a request gives way
preload_app = True  # processes share the memory of the code
keepalive = 75  # seconds: longer than a proxy keeps its connections (nginx: 60), so that it closes them first
timeout = 120
graceful_timeout = 8
control_socket_disable = True
loglevel = "warning"


def post_fork(master: Any, worker: Any) -> None:
    """End a process with the one that forked it: orphans would hold the port (Linux)."""
    del worker
    end_with_parent(signal.SIGKILL)
    if os.getppid() != master.pid:  # it ended before the call
        os._exit(1)
