"""What Celery runs. Cheap when there is nothing to do; a lost or doubled message changes nothing."""

from celery import shared_task

from chain.indexer.run import run_indexer
from chain.relayer.forgotten import Watch
from chain.relayer.sender import run_relayer, working_addresses
from chain.restore.acceptance_log import collect_lost_acts
from chain.restore.incarnation import beat
from chain.status.pulses import note_run

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
