"""What Celery runs. Cheap when there is nothing to do; a lost or doubled message changes nothing."""

from celery import shared_task

from chain.indexer import run_indexer
from chain.relayer.sender import run_relayer, working_addresses


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def relay(address: str = "") -> None:
    """Send what waits in the outbox, and settle what was mined: a task for each relayer key."""
    addresses = working_addresses()
    if address or len(addresses) < 2:
        run_relayer(address)
        return
    for one in addresses:
        relay.apply_async((one,), expires=5)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def sync() -> None:
    """Read the chain's new events."""
    run_indexer()
