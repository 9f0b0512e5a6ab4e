"""What may go wrong with a store, whichever it is."""


class StorageError(Exception):
    """Base of every failure of a store."""


class StoreUnavailable(StorageError):
    """The folder cannot be used or the node cannot be reached now. The same call may succeed later."""


class StoreFull(StorageError):
    """There is no room for this content. Nothing of it was kept."""


class ContentNotFound(StorageError):
    """The store does not have the content."""


class PeersSilent(StorageError):
    """No peer of the node gave a block before the deadline."""


class ContentUnfinished(StorageError):
    """The time for a content is over. What came of it stays, and the rest is for another time."""


class ContentTooLarge(StorageError):
    """A content has more bytes than are taken. `size` says how many."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size


class ContentCorrupt(StorageError):
    """The bytes found are not those that the CID names. None of them was handed out."""


class InvalidCid(ValueError):
    """The text is no CID of the profile that MedRec uses."""


class StagedMissing(Exception):
    """Parts that were staged are not there any more: another machine's folder, or somebody removed them."""
