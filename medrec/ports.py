"""The ports of `make run`: free ones, or a line that says what holds one."""

import os
import socket
import time

import psutil

ORPHAN_SECONDS = 15.0  # after kill -9 of `make run` its programs end by themselves, in a moment
_OURS = ("medrec.wsgi", "chain.localchain", "medrec.run", "anvil")
_SHOWN = 100  # characters of a command


class PortTaken(Exception):
    """Somebody else listens there. The message says who, and what to do."""


def claim_port(name: str, default: int) -> int:
    """Return the port that an environment variable says, once nobody listens there.

    Programs that a killed `make run` has left behind are waited for. Raises PortTaken, or ValueError for what
    is no port number.
    """
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"{name}={text} is not a port number")
    port, until = int(text), time.monotonic() + ORPHAN_SECONDS
    while (problem := _try_to_bind(port)) is not None:
        holder = find_holder(port)
        if holder is None or not _is_orphan(holder) or time.monotonic() > until:
            raise PortTaken(_words(name, port, problem, holder))
        time.sleep(0.1)
    return port


def find_holder(port: int) -> psutil.Process | None:
    """Return the process that listens on a port, as far as this user may see it."""
    for process in psutil.process_iter():
        try:
            for each in process.net_connections(kind="tcp"):
                if each.status == psutil.CONN_LISTEN and each.laddr.port == port:
                    return process
        except (psutil.Error, OSError):
            continue  # of another user, or gone
    return None


def _try_to_bind(port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            return problem
    return None


def _is_orphan(process: psutil.Process) -> bool:
    """Return whether it is a program of ours, and no `make run` above it lives."""
    try:
        command = " ".join(process.cmdline())
        above = [" ".join(each.cmdline()) for each in process.parents()]
    except psutil.Error:
        return True  # it has ended just now
    return any(name in command for name in _OURS) and not any("medrec.run" in each for each in above)


def _words(name: str, port: int, problem: OSError, holder: psutil.Process | None) -> str:
    other = port % 65000 + 1
    return f"port {port} cannot be used ({problem.strerror}{_held_by(holder)}): try {name}={other} make run"


def _held_by(holder: psutil.Process | None) -> str:
    if holder is None:
        return ""
    try:
        command = " ".join(holder.cmdline())
    except psutil.Error:
        command = ""
    return f" by process {holder.pid}: {(command or 'its command is not shown')[:_SHOWN]}"
