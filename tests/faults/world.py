"""A scenario's world: a node, a database, the contract, and the processes that faults are done to."""

import io
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from django.core.management import call_command

from chain.localchain.errors import LocalChainError
from chain.localchain.rpc import Rpc
from tests.faults.databases import Database
from tests.faults.judge import applied_block, compare, dump, judge_acts, replay
from tests.faults.nodes import Node
from tests.faults.patients import work_after_restores
from tests.faults.points import IMPATIENT, LEASE_TERM, Point, constant, set_constant
from tests.faults.processes import Child, ask
from tests.faults.settled import wait_settled
from tests.faults.worker import accept_acts, open_clinic, work

HEALED_WITHIN = 30.0  # seconds, on a machine that has the time
SHORT_LEASE = 1.0  # seconds: what a killed sender leaves behind would else make up most of a run
_OLD_BLOCKS = 24  # on top of the contract: no reorganisation reaches down to it
_REACHED_WITHIN = 60.0


class NotHealed(AssertionError):
    """The faults are over, and the queue and the tables did not come right in time."""


@dataclass
class World:
    """What scenarios use: processes to start and kill, and the time it takes until all is well again."""

    folder: Path
    seed: int
    node: Node
    database: Database
    lease_seconds: float = SHORT_LEASE
    healed: list[float] = field(default_factory=list)
    random: Random = field(init=False)
    _children: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    @property
    def accepted(self) -> Path:
        """Digests of the acts whose acceptance was told to somebody."""
        return self.folder / "accepted"

    @property
    def strange(self) -> Path:
        """Digests of the acts that strangers have sent past the portal."""
        return self.folder / "strange"

    @property
    def raised(self) -> Path:
        """Tracebacks of tasks that raised."""
        return self.folder / "raised"

    def open(self) -> None:
        """Keys, money, the contract and the clinic, with some blocks on top."""
        self.ask(_deploy)
        self.start(open_clinic, self.seed, self.accepted).wait(_REACHED_WITHIN)
        self.heal()
        with suppress(LocalChainError):  # the local chain's gate takes no such order
            Rpc(self.node.port).call("anvil_mine", hex(_OLD_BLOCKS))

    def judge(self, empty: Database) -> list[str]:
        """Return the faults that are left once all has healed, in words."""
        found: list[str] = self.ask(judge_acts, self.node.port, self.accepted, self.strange)
        applied = self.ask(applied_block)
        replayed = replace(self, database=empty).ask(replay, applied)
        return [*found, *compare(self.ask(dump), replayed)]

    def raised_by_kind(self) -> dict[str, int]:
        """Count the errors of tasks, by the function that raised and the last line of the traceback."""
        if not self.raised.exists():
            return {}
        found: Counter[str] = Counter()
        for traceback in self.raised.read_text().split("--- ")[1:]:
            lines = traceback.strip().splitlines()
            places = [line.rpartition(" in ")[2] for line in lines if line.startswith("  File ")]
            found[f"{lines[-1][:120]} (in {places[-1]})"] += 1
        return dict(found)

    def ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return the result of a function on this world's database, from a process of its own."""
        return ask(self._inside, function, *args)

    def start(self, function: Callable[..., Any], *args: Any) -> Child:
        """A process that runs a function on this world's database."""
        child = Child(self._inside, function, *args)
        self._children.append(child)
        return child

    def worker(self, doom: tuple[Point, int] | None = None) -> Child:
        """A process that sends and reads until it is killed."""
        return self.start(work, self.raised, doom)

    def web(self, count: int, doom: tuple[Point, int] | None = None) -> Child:
        """A process that accepts this many acts."""
        return self.start(accept_acts, self.random.getrandbits(64), self.seed, count, self.accepted, doom)

    @contextmanager
    def working_after_restores(self) -> Iterator[None]:
        """A healthy worker that also does what a restore asks for."""
        worker = self.start(work_after_restores, self.raised)
        try:
            yield
        finally:
            worker.kill()

    def accept(self, count: int) -> None:
        """Accept this many acts, and wait until that is done."""
        self.web(count).wait(_REACHED_WITHIN)

    def kill_at(self, point: Point) -> None:
        """A process that dies at the point, at a random one of its calls. NotReached if it does not."""
        doom = (point, self.random.randint(1, point.calls))
        child = self.web(point.calls + 2, doom) if point.who == "web" else self.worker(doom)
        child.wait_killed(_REACHED_WITHIN, f"call {doom[1]} of {point.at}")

    def heal(self, *, workers: int = 1) -> float:
        """Seconds until all is settled, with processes that nobody kills. NotHealed beyond the limit."""
        with self.working(workers):
            return self.wait_healed()

    @contextmanager
    def working(self, count: int = 1) -> Iterator[None]:
        """Healthy workers for a while. They are killed at its end, as everything here is."""
        workers = [self.worker() for _ in range(count)]
        try:
            yield
        finally:
            for each in workers:
                each.kill()

    def wait_healed(self) -> float:
        """Seconds until all is settled, while workers run. NotHealed, with what is missing, if too many."""
        begun, limit = time.monotonic(), HEALED_WITHIN * _busy()
        missing = self.ask(wait_settled, self.node.port, limit)
        if missing:
            raise NotHealed(f"not healed within {limit:.0f} s: {missing}")
        self.healed.append(time.monotonic() - begun)
        return self.healed[-1]

    def be_patient(self) -> None:
        """From now on, processes hold a sender's lease for as long as the portal's do."""
        self.lease_seconds = constant(LEASE_TERM).total_seconds()

    def close(self) -> None:
        """Kill what still runs."""
        for child in self._children:
            child.kill()

    def _inside(self, function: Callable[..., Any], *args: Any) -> Any:
        self.database.use()
        for at, value in IMPATIENT.items():
            set_constant(at, value)
        set_constant(LEASE_TERM, timedelta(seconds=self.lease_seconds))
        return function(*args)


def _busy() -> float:
    """Return how many times more than it can the machine has to do now, from 1 to 4."""
    return min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), 4.0)


def _deploy() -> None:
    silent = io.StringIO()
    call_command("make_keys", stdout=silent)
    call_command("deploy_contract", fund=True, stdout=silent)
