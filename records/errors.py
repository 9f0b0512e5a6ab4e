"""What services of this app raise; doors map each to a status and show its words."""

from accounts.errors import LimitReached
from chain.errors import ActConflict, ActError, ChainError


class RecordsError(Exception):
    """Something the person should be told. `str()` says what happened and what to do, in plain words."""

    status = 400


class InvalidInput(RecordsError):
    """One field of what was given is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class NotFound(RecordsError):
    """Unknown, or somebody else's: the answer is the same."""

    status = 404

    def __init__(self, message: str = "There is no such thing here.") -> None:
        super().__init__(message)


class AccessRefused(RecordsError):
    """Known to the person, but no grant allows it (any more)."""

    status = 403

    def __init__(self, message: str, *, patient: str = "", via: str = "") -> None:
        super().__init__(message)
        self.patient = patient
        self.via = via


class Conflict(RecordsError):
    """Somebody (or the same person, elsewhere) was first."""

    status = 409


class FolderMoved(Conflict):
    """What was prepared names a state that the folder has left since: it is to be prepared again."""

    def __init__(self) -> None:
        super().__init__("Sharing of this folder was changed just now. Nothing was saved. Try again.")


class OtherPatient(Conflict):
    """A patient's account was asked to act for another patient. Nothing goes into its own records instead."""

    def __init__(self) -> None:
        super().__init__(
            "This is for another patient's records. You act as your own patient account, which has your own "
            "records only. Nothing was saved."
        )


class StartOver(Conflict):
    """What an upload had so far cannot be gone on with; it was let go of, and begins with its first part."""


class RecordDamaged(RecordsError):
    """What the store holds of a record is not what its author described; asking again does not help."""

    status = 422


class RecordLost(RecordsError):
    """The store holds nothing under the address that a record names; asking again does not help."""

    status = 404


class TooLarge(RecordsError):
    """A file over the limit, or over what the malware scanner takes."""

    status = 413


class WrongType(RecordsError):
    """A kind of file that is not taken, or one whose name says something else than its content."""

    status = 415


class Infected(RecordsError):
    """The malware scanner found something; nothing was kept."""

    status = 422


class ScannerDown(RecordsError):
    """The malware scanner does not answer; nothing was accepted."""

    status = 503


class StoreDown(RecordsError):
    """The file store takes or gives nothing now; nothing was taken."""

    status = 503

    def __init__(
        self, message: str = "The file store cannot be reached. The record was not saved; try again."
    ) -> None:
        super().__init__(message)


class NotArrived(StoreDown):
    """A file that was put elsewhere is not here yet. Everything else is, and nobody waited for it."""

    retry_after = 60  # seconds


class NoRoom(StoreDown):
    """The file store is full: trying again helps only once somebody has made room."""

    status = 507

    def __init__(
        self,
        message: str = "There is no room for this file: the file store is full. The record was not saved. "
        "Those who run this portal have to make room; try again later.",
    ) -> None:
        super().__init__(message)


class ChainDown(RecordsError):
    """Something must be asked of the chain's state first (a recipient's key), and no node answers."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "The chain cannot be reached, so a key could not be checked. Nothing was saved; try again."
        )


def status_of(error: Exception) -> int:
    """Return the HTTP status of what a service of records, accounts or chain raised."""
    if isinstance(error, (RecordsError, LimitReached)):
        return error.status
    if isinstance(error, ActConflict):
        return 409
    return 503 if isinstance(error, ChainError) and not isinstance(error, ActError) else 400
