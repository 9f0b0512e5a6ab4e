"""What Celery runs. Cheap when there is nothing to do; a lost or doubled message changes nothing."""

from celery import shared_task

from chain.acceptance_log import collect_lost_acts
from chain.forgotten import Watch
from chain.incarnation import beat
from chain.indexer import run_indexer
from chain.pulses import note_run
from chain.relayer.sender import run_relayer, working_addresses

_WATCH = Watch()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def relay(address: str = "") -> None:
    """Send what waits in the outbox, and settle what was mined: a task for each relayer key."""
    if not address:
        address, *others = working_addresses() or [""]
        for other in others:
            relay.delay(other)
    run_relayer(address)
    note_run("chain.tasks.relay")


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def sync() -> None:
    """Read the chain's new events; first, look whether the database was restored."""
    beat()
    _WATCH.look()  # before reading: the first look is at what the database knew
    collect_lost_acts()
    run_indexer()
    note_run("chain.tasks.sync")
