"""The registry by which the chain tells the other apps what happened, without knowing them."""

from collections import defaultdict
from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from chain.abi import ACT_OF_EVENT, act_types

if TYPE_CHECKING:
    from chain.models import Act, Event

EventHandler = Callable[["Event"], None]
ActHandler = Callable[["Act"], None]

_event_handlers: dict[str, list[EventHandler]] = defaultdict(list)
_act_handlers: dict[str, list[ActHandler]] = defaultdict(list)
_resets: list[Callable[[], None]] = []


def on_event(*names: str) -> Callable[[EventHandler], EventHandler]:
    """Call the function for each event of these names.

    In block order, at confirmation depth, inside the transaction that marks the event applied. It must be
    idempotent, and take addresses it does not know (other portals use the same contract).
    """
    _known(names, ACT_OF_EVENT)

    def register(function: EventHandler) -> EventHandler:
        for name in names:
            if function not in _event_handlers[name]:
                _event_handlers[name].append(function)
        return function

    return register


def on_act_settled(*kinds: str) -> Callable[[ActHandler], ActHandler]:
    """Call the function when an act of these kinds is confirmed, failed or returned.

    It runs in the transaction that says so.
    """
    _known(kinds, act_types())

    def register(function: ActHandler) -> ActHandler:
        for kind in kinds:
            if function not in _act_handlers[kind]:
                _act_handlers[kind].append(function)
        return function

    return register


def on_reset(function: Callable[[], None]) -> Callable[[], None]:
    """Call the function to empty a projection, before the archive of events is given to the handlers anew."""
    if function not in _resets:
        _resets.append(function)
    return function


def announce_event(event: "Event") -> None:
    """Give an event to its handlers."""
    for handler in _event_handlers[event.name]:
        handler(event)


def announce_act(act: "Act") -> None:
    """Give a settled act to its handlers."""
    for handler in _act_handlers[act.kind]:
        handler(act)


def reset_projections() -> None:
    """Empty every projection."""
    for reset in _resets:
        reset()


def _known(names: tuple[str, ...], known: Container[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        raise LookupError(f"Not an event or act of the contract: {', '.join(unknown)}")
