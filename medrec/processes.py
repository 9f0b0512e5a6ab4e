"""A small process manager for one machine: starts programs, shows their output, restarts what dies, ends them
all.

A library's manager leaves its children running when it is killed itself. The next start would then find the
ports taken and two relayers at work. Here the kernel ends the children with their parent.
"""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence

from chain.localchain.tether import tie_to_parent

STOP_SECONDS = 12.0
RESTARTS = 3
RESTART_WINDOW_SECONDS = 30.0


class ProgramKeepsDying(Exception):
    """A program ended again and again. The message names it."""


class _Program:
    """One program and its running process; a thread copies its output, with the name before each line."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self._command = list(command)
        self._environment = environment
        self._starts: deque[float] = deque(maxlen=RESTARTS)
        self.process = self._start()

    def restart(self, *, patient: bool) -> None:
        """Start it anew after it ended by itself. Raises ProgramKeepsDying, or waits if `patient`."""
        ended = f"{self.name} ended (exit code {self.process.returncode})"
        now = time.monotonic()
        if len(self._starts) == RESTARTS and now - self._starts[0] < RESTART_WINDOW_SECONDS:
            if patient:
                return
            raise ProgramKeepsDying(f"{ended} {RESTARTS} times in a row; its lines above say why")
        say(self.name, f"{ended}; starting it again")
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        self._starts.append(time.monotonic())
        process = subprocess.Popen(  # noqa: S603
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=tie_to_parent(),
            start_new_session=True,  # Ctrl-C reaches the manager alone, which ends the others in order
        )
        threading.Thread(target=self._copy_output, args=(process,), daemon=True).start()
        return process

    def _copy_output(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            say(self.name, line.rstrip("\n"))


class Processes:
    """The programs of one run of the portal. Use it from the main thread."""

    def __init__(self) -> None:
        self._programs: dict[str, _Program] = {}

    def start(self, name: str, *command: str, environment: dict[str, str] | None = None) -> None:
        """Start a program under a name. It sees this process's environment, changed by `environment`."""
        self._programs[name] = _Program(name, command, {**os.environ, **(environment or {})})

    def is_running(self, name: str) -> bool:
        """Return whether the program still runs."""
        return self._programs[name].process.poll() is None

    def tend(self, *, patient: bool = False) -> None:
        """Start again whatever has ended. Raises ProgramKeepsDying.

        While the disk is full (`patient`) a program that keeps dying is tried now and then, and the others
        go on.
        """
        for program in self._programs.values():
            if program.process.poll() is not None:
                program.restart(patient=patient)

    def stop(self, *names: str) -> None:
        """Ask these programs to end, together. Kill those that take longer than STOP_SECONDS."""
        processes = [self._programs.pop(name).process for name in names if name in self._programs]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def say(name: str, line: str) -> None:
    """One line on the terminal with the program's name in front. A terminal that is gone does not matter."""
    try:
        sys.stdout.write(f"{name:<6} | {line}\n")
        sys.stdout.flush()
    except OSError:
        pass
