"""Celery's doors: each calls one function. The rows are the truth; a lost message costs a minute."""

from celery import shared_task
from django.conf import settings

from chain.status.freshness import last_reading
from chain.support.breaker import Breaker
from chain.support.single_flight import SingleFlight
from chain.support.wakeup import Wakeup
from records.content import settle_blobs
from records.errors import StoreDown
from records.services import fetching, list_index
from records.services import folder_names as names
from records.services.after_restore import settle_restore
from records.services.anchoring import anchor_views
from records.services.garbage import collect_garbage
from records.services.replicating import replicate as copy_to_nodes
from records.services.sweeping import sweep_records
from records.storage.errors import StorageError

_settle, _collect = SingleFlight(settle_blobs), SingleFlight(collect_garbage)
_read_lists = SingleFlight(list_index.read_lists)
_fetch_names = SingleFlight(names.fetch_folder_names)
_settle_restore = SingleFlight(settle_restore)
_STORE_OF_RESTORE = Breaker("the file store, for what a restore asks,")
_COPYING = Wakeup("records.tasks.replicate")
_fetch_files = SingleFlight(fetching.fetch_files)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def store_blobs() -> int:
    """Put new small ciphertexts into the file store, erase deleted ones."""
    try:
        return _settle()
    except StorageError:
        return 0  # the store is down: the sweep tries again
    finally:
        if settings.IPFS_PIN_API_URLS:
            _COPYING.give()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def replicate() -> int:
    """Copy what is new to the further nodes, erase there what was given up, verify what they have."""
    return copy_to_nodes()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def collect() -> int:
    """Note contents that nothing names, and erase those whose time has come."""
    try:
        return _collect()
    except StorageError:
        return 0  # the store is down: the sweep tries again


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def fetch_folder_names() -> int:
    """Copy the names of folders that another portal or wallet gave from the store."""
    return _fetch_names()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def read_lists() -> int:
    """Read the lists of envelopes that the chain names and this database lacks."""
    return _read_lists()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def fetch_files() -> int:
    """Bring here what other portals keep of this one's patients. The only task that asks a node's peers."""
    return _fetch_files()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def settle_after_restore() -> int:
    """Do what a restore from a backup asks for, as soon as the chain is read. Looks every two seconds.

    A store that is down is left alone for some seconds, unless grants are still closed: that needs no store.
    """
    if not (_STORE_OF_RESTORE.may_ask() or last_reading().misses_ends):
        return 0
    try:
        done = _settle_restore()
    except StoreDown as error:
        _STORE_OF_RESTORE.note_failure(error)
        return 0
    _STORE_OF_RESTORE.note_answer()
    return done


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
def sweep() -> int:
    """Settle blobs, collect garbage, end what has run out, forget old drafts, anchor the view log.

    Last, what may take long where the store is slow: lists and names of folders from elsewhere.
    """
    store_blobs()
    settle_after_restore()
    collect()
    ended = sweep_records()
    anchor_views()
    read_lists()
    fetch_folder_names()
    return ended
