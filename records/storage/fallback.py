"""Reading one content from several stores: from the next where one has lost or damaged it, or is away."""

from collections.abc import Callable, Iterable

from records.storage.base import Blob, Store
from records.storage.cid import Cid
from records.storage.errors import ContentCorrupt, ContentNotFound, StorageError


class FallbackBlob(Blob):
    """A content that is read from the first of these stores that gives it. All of them check every byte.

    `on_loss` is told once when the first one has lost or damaged it. Raises what the first one raised when
    none gives it.
    """

    def __init__(self, cid: Cid, stores: Iterable[Store], *, on_loss: Callable[[], None]) -> None:
        self._stores = iter(stores)
        self._on_loss = on_loss
        self._first_error: StorageError | None = None
        self._cid = cid
        self._blob = self._open_next()
        super().__init__(cid, self._blob.size)

    def _leaf(self, index: int) -> bytes:
        while True:
            try:
                return self._blob._leaf(index)
            except StorageError as error:
                self._blob.close()
                self._note(error)
                self._blob = self._open_next()

    def _open_next(self) -> Blob:
        for files in self._stores:
            try:
                return files.open(self._cid)
            except StorageError as error:
                self._note(error)
        raise self._first_error or ContentNotFound(str(self._cid))

    def _note(self, error: StorageError) -> None:
        if self._first_error is None:
            self._first_error = error
            if isinstance(error, ContentNotFound | ContentCorrupt):
                self._on_loss()

    def _fetch(self, index: int) -> bytes:
        return self._blob._fetch(index)

    def _digest(self, index: int) -> bytes:
        return self._blob._digest(index)

    def close(self) -> None:
        self._blob.close()
