"""Whether the file store takes files, and the scanner answers: asked with the chain's checks."""

from django.conf import settings

from chain.status.health import Unhealthy, register_check
from records.content import store
from records.scanner import ScannerFailed, ping
from records.storage.errors import StoreFull

PING_SECONDS = 3.0


def check_store() -> None:
    """A file put now would be kept."""
    try:
        store().check()
    except StoreFull:
        raise Unhealthy("it is full") from None


def check_scanner() -> None:
    """The malware scanner answers. Without it no file is accepted."""
    if settings.CLAMD_URL:
        try:
            ping(settings.CLAMD_URL, PING_SECONDS)
        except ScannerFailed:
            raise Unhealthy("it does not answer") from None


register_check("store", check_store)
register_check("scanner", check_scanner)
