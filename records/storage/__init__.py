"""Stores for encrypted files: a folder, or an IPFS node. Nothing here knows Django, keys or records."""

from pathlib import Path

from records.storage.base import Blob, Store, Stored
from records.storage.cid import Cid, CidBuilder
from records.storage.fallback import FallbackBlob
from records.storage.ipfs import IpfsStore
from records.storage.local import LocalStore
from records.storage.node import address_of

__all__ = [
    "Blob",
    "Cid",
    "CidBuilder",
    "FallbackBlob",
    "IpfsStore",
    "LocalStore",
    "Store",
    "Stored",
    "address_of",
    "open_store",
]


def open_store(*, path: Path, ipfs_url: str = "") -> Store:
    """The store that the settings name: an IPFS node's API (`http://host:5001`, a multiaddr), else a folder.

    Raises StoreUnavailable when the folder cannot be made, ValueError for an address that is none.
    """
    return IpfsStore(ipfs_url) if ipfs_url else LocalStore(path)
