"""Whether the file store takes files: asked with the chain's checks."""

from chain.health import Unhealthy, register_check
from records.content import store
from records.storage.errors import StoreFull


def check_store() -> None:
    """A file put now would be kept."""
    try:
        store().check()
    except StoreFull:
        raise Unhealthy("it is full") from None


register_check("store", check_store)
