"""What Celery runs. Cheap when there is nothing to do; a lost or doubled message changes nothing."""

from celery import shared_task

from chain.indexer import run_indexer
from chain.relayer.sender import run_relayer


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def relay() -> None:
    """Send what waits in the outbox, and settle what was mined."""
    run_relayer()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def sync() -> None:
    """Read the chain's new events."""
    run_indexer()
