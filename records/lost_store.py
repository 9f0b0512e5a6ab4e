"""A store that has none of this database's files is noticed at the start."""

from collections.abc import Iterable

from chain.operations.start_up import register_notice
from records.content import store
from records.holdings import cid_of
from records.models import Holding

_LOOKED_AT = 3  # files at either end


@register_notice
def say_lost_store() -> Iterable[str]:
    """Look for the oldest and the newest files that were put. `reconcile R1` looks for all."""
    put = Holding.objects.filter(state=Holding.State.KEPT, lost_since=None, unnamed_since=None)
    newest, oldest = put.order_by("-put_at")[:_LOOKED_AT], put.order_by("put_at")[:_LOOKED_AT]
    if not newest or _has_any(newest):
        return []
    which = "none of the newest files" if _has_any(oldest) else "none of the files looked for"
    return [
        f"The store has {which}: it is empty, older than the database, or another one. Put back its folder"
        " (STORE_PATH) or name the right node (IPFS_API_URL). `manage.py reconcile R1` lists what is missing."
    ]


def _has_any(holdings: Iterable[Holding]) -> bool:
    return any(store().keeps(cid_of(holding)) for holding in holdings)
