"""The secrets of one's own folders, without walking the whole chain of epochs each time.

The walk is 65,535 steps of SHA-256 for the first epochs: some 50 ms in each request that opens a record. So
what lies on the way is remembered in this process, every 256th secret, sealed under the folder root that it
came from. A folder's secrets never change, so nothing of it grows stale; and once the vault is closed, what
is remembered opens nothing.
"""

from functools import lru_cache

from accounts.crypto.derivation import derive, labelled, u16
from accounts.crypto.origin import Origin
from accounts.crypto.vault import open_under, seal_under
from records.crypto.folders import earlier_secret, folder_secret, pack_epoch

WAYPOINTS = 256
"""Steps between two that are remembered: at most 0.3 ms."""
REMEMBERED = 10_000
"""Secrets, of 60 bytes each."""


def own_secret(root: bytes, origin: Origin, generation: int, folder: int, epoch: int) -> bytes:
    """Return the same as `folder_secret`, most often sooner. Raises EpochOutOfRange."""
    pack_epoch(generation, epoch)
    waypoint = epoch | (WAYPOINTS - 1)
    place = origin.to_bytes() + u16(generation) + u16(folder) + u16(waypoint)
    key = derive(root, labelled("waypoint-key", place))
    remembered = _remembered(derive(key, labelled("waypoint-name")))
    if remembered:
        secret = open_under(key, remembered[0], place)
    else:
        secret = folder_secret(root, origin, generation, folder, waypoint)
        remembered.append(seal_under(key, secret, place))
    return earlier_secret(secret, waypoint, epoch)


@lru_cache(maxsize=REMEMBERED)
def _remembered(name: bytes) -> list[bytes]:  # noqa: ARG001  the cache's key
    """Return where the sealed secret of this name is kept, or will be."""
    return []
