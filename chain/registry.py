"""The registry by which the chain tells the other apps what happened, without knowing them."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import groupby

from chain.acts.messages import PreparedAct
from chain.contract.abi import ACT_OF_EVENT, act_types
from chain.models import Act, Event

EventHandler = Callable[[Event], None]
RunHandler = Callable[[Sequence[Event]], None]
ActHandler = Callable[[Act], None]
OfferHandler = Callable[[PreparedAct], None]

_run_handlers: dict[str, list[RunHandler]] = defaultdict(list)
_news_handlers: dict[str, list[RunHandler]] = defaultdict(list)
_act_handlers: dict[str, list[ActHandler]] = defaultdict(list)
_offer_handlers: list[OfferHandler] = []
_restore_handlers: list[Callable[[], None]] = []
_resets: list[Callable[[], None]] = []


def on_event(*names: str) -> Callable[[EventHandler], EventHandler]:
    """Call the function for each event of these names: it writes a projection.

    In block order, at confirmation depth, inside the transaction that marks the event applied. It must be
    idempotent, and take addresses it does not know (other portals use the same contract). When a projection
    is emptied it is called again for the whole archive.
    """
    _known(names, ACT_OF_EVENT)

    def register(function: EventHandler) -> EventHandler:
        def each(events: Sequence[Event]) -> None:
            for event in events:
                function(event)

        for name in names:
            _run_handlers[name].append(each)
        return function

    return register


def on_events(*names: str) -> Callable[[RunHandler], RunHandler]:
    """Call the function with a run: events of one name that follow each other on the chain.

    What it leaves must be what it would leave if called for one after the other.
    """
    _known(names, ACT_OF_EVENT)

    def register(function: RunHandler) -> RunHandler:
        for name in names:
            _run_handlers[name].append(function)
        return function

    return register


def on_news(*names: str) -> Callable[[RunHandler], RunHandler]:
    """Call the function with a run of events of these names that just happened: for what follows from them.

    After the projections know the whole run, in the same transaction, and not when they are made anew. A
    reorganisation may bring the same event again, so it too must be idempotent.
    """
    _known(names, ACT_OF_EVENT)

    def register(function: RunHandler) -> RunHandler:
        for name in names:
            _news_handlers[name].append(function)
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


def on_act_offered(function: OfferHandler) -> OfferHandler:
    """Call the function with each act before the outbox accepts it, in its transaction: it may raise."""
    if function not in _offer_handlers:
        _offer_handlers.append(function)
    return function


def on_reset(function: Callable[[], None]) -> Callable[[], None]:
    """Call the function to empty a projection, before the archive of events is given to the handlers anew."""
    if function not in _resets:
        _resets.append(function)
    return function


def on_restore(function: Callable[[], None]) -> Callable[[], None]:
    """Call the function when it is found out that the database was restored from a backup, at once.

    It ends what may have been ended since the backup. Idempotent, and without asking node or store.
    """
    if function not in _restore_handlers:
        _restore_handlers.append(function)
    return function


def runs_of(events: Iterable[Event], known: Container[str] = ()) -> Iterator[list[Event]]:
    """Cut events in the chain's order where the name changes, and where `known` digests begin or end."""
    runs = groupby(events, key=lambda event: (event.name, event.act_digest in known))
    return (list(run) for _, run in runs)


def announce_events(run: Sequence[Event], *, again: bool = False) -> None:
    """Give a run of events to its handlers; `again`, to those of projections alone."""
    name = run[0].name
    for handler in _run_handlers[name]:
        handler(run)
    for follow in () if again else _news_handlers[name]:
        follow(run)


def announce_offer(act: PreparedAct) -> None:
    """Give an act that is about to be accepted to those who may refuse it."""
    for handler in _offer_handlers:
        handler(act)


def announce_act(act: Act) -> None:
    """Give a settled act to its handlers."""
    for handler in _act_handlers[act.kind]:
        handler(act)


def announce_restore() -> None:
    """Tell those who asked that the database was restored."""
    for handler in _restore_handlers:
        handler()


def reset_projections() -> None:
    """Empty every projection."""
    for reset in _resets:
        reset()


def _known(names: tuple[str, ...], known: Container[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        raise LookupError(f"Not an event or act of the contract: {', '.join(unknown)}")
