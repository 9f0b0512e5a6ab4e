"""The named points at which a process is killed: before or after a call of one of the portal's functions."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any, Literal


@dataclass(frozen=True)
class Point:
    """`at` is module:function; the process dies `when` the call number 1..`calls` (random) is made.

    `who` dies: the web process that accepts acts, or a worker. `scene` is what has to be going on: acts that
    flow, a transaction that is stuck, or a reorganisation deeper than what was applied.
    """

    at: str
    when: Literal["before", "after"]
    calls: int = 1
    who: Literal["web", "worker"] = "worker"
    scene: Literal["flow", "stuck", "reorg"] = "flow"

    @property
    def is_of_sending(self) -> bool:
        """Return whether a program that dies there accepts or sends acts. Any other reads the chain."""
        return not self.at.startswith(("chain.indexer", "chain.outbox.settle", "chain.node.client:logs"))


POINTS = {
    "in-submit": Point("chain.outbox.submit:acts_before", "before", 6, who="web"),
    "after-commit": Point("chain.outbox.submit:wake_relayer", "before", 6, who="web"),
    "with-lease": Point("chain.relayer.sender:simulate", "after"),
    "in-save": Point("chain.relayer.sender:save_attempt", "before"),
    "before-save": Point("chain.relayer.sender:save_attempt", "after"),
    "after-save": Point("chain.relayer.sender:broadcast", "before"),
    "after-broadcast": Point("chain.node.client:send_raw", "after"),
    "before-receipt": Point("chain.node.client:receipts", "before"),
    "after-receipt": Point("chain.node.client:receipts", "after"),
    "in-settle": Point("chain.relayer.confirmer:_settle", "after"),
    "before-release": Point("chain.relayer.confirmer:_release", "before"),
    "in-replace": Point("chain.relayer.broadcast:save_replacement", "after", scene="stuck"),
    "after-replace": Point("chain.relayer.broadcast:broadcast", "before", scene="stuck"),
    "before-store": Point("chain.node.client:logs", "after"),
    "in-range": Point("chain.indexer.run:link_acts", "before", 2),
    "after-range": Point("chain.indexer.run:_read_range", "after", 2),
    "in-projection": Point("chain.indexer.run:announce_events", "after", 5),
    "in-confirm": Point("chain.outbox.settle:announce_act", "before", 3),
    "before-rewind": Point("chain.indexer.run:rewind", "before", scene="reorg"),
    "in-rewind": Point("chain.indexer.reorg:reset_projections", "after", scene="reorg"),
    "in-rebuild": Point("chain.indexer.reorg:announce_events", "after", 2, scene="reorg"),
    "after-rewind": Point("chain.indexer.run:rewind", "after", scene="reorg"),
    "in-prune": Point("chain.indexer.run:_prune", "after"),
}

# What a process of the programme changes for itself, so that what is rare happens in a short run.
IMPATIENT: dict[str, Any] = {"chain.indexer.run:_KEEP_EMPTY": 4}
LEASE_TERM = "chain.relayer.lease:_TERM"


def kill_at(point: Point, call: int) -> None:
    """Have this process killed, as by kill -9, at this call (from 1) of the point's function."""
    module, name = _place(point.at)
    real: Callable[..., Any] = getattr(module, name)
    calls = 0

    @wraps(real)
    def doomed(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        mine = calls == call
        if mine and point.when == "before":
            _die()
        result = real(*args, **options)
        if mine:
            _die()
        return result

    setattr(module, name, doomed)


def constant(at: str) -> Any:
    """A constant of the portal's."""
    module, name = _place(at)
    return getattr(module, name)


def set_constant(at: str, value: object) -> None:
    """Give a constant of the portal's another value in this process. AttributeError where there is none."""
    constant(at)
    module, name = _place(at)
    setattr(module, name, value)


def _place(at: str) -> tuple[Any, str]:
    module, _, name = at.partition(":")
    return import_module(module), name


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
