"""What services hand to doors: plain, already opened, ready to show. Addresses are EIP-55, "" is none.

Nothing here may enter session, cache, messages, logs or mail: titles and names in it are medical words.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import urlencode

from records.readability import Readability

ActState = Literal["waiting", "confirmed", "failed"]


@dataclass(frozen=True)
class VersionView:
    """A version that differs from the one before in content or description."""

    record: str
    version: int  # the chain's number: what a download names
    number: int  # 1, 2, 3: what a person reads
    author: str
    author_name: str
    via: str
    via_name: str
    title: str
    kind: str  # code
    kind_name: str
    service_date: date | None
    file_name: str
    media_type: str
    size: int  # bytes of plaintext
    content: str  # CID of the ciphertext
    state: ActState
    act: str  # id of the act, "" when another portal sent it
    block_number: int | None
    tx_hash: str
    created_at: datetime
    readability: Readability = Readability.READABLE
    storage: str = ""  # its patient's: where the file is kept, in words

    @property
    def readable(self) -> bool:
        """Return whether title and file can be read."""
        return self.readability is Readability.READABLE


@dataclass(frozen=True)
class RecordView:
    """A record as this actor may see it: the latest version's words, and every version."""

    record: str
    patient: str
    patient_name: str  # "": the patient never gave this actor access
    author: str
    author_name: str
    via: str
    via_name: str
    folder: int
    folder_name: str
    version: int
    title: str
    kind: str
    kind_name: str
    service_date: date | None
    file_name: str
    media_type: str
    size: int
    state: ActState
    act: str
    error: str  # of a failed act, in plain words
    block_number: int | None
    tx_hash: str
    can_write: bool
    closed: str  # "" | refused | entered in error | withdrawn
    created_at: datetime
    readability: Readability = Readability.READABLE
    problem: str = ""  # why it cannot be read, in a sentence
    advice: str = ""  # what this reader can do about it
    resend: bool = False  # the chain refused something of this actor's: to send again, or to drop
    storage: str = ""  # its patient's: where the latest file is kept, in words
    versions: list[VersionView] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Return whether title and file can be read."""
        return self.readability is Readability.READABLE

    @property
    def in_inbox(self) -> bool:
        """Return whether the patient has still to file or refuse it."""
        return self.folder == 0 and not self.closed


@dataclass(frozen=True)
class SharedWith:
    """Who has access to a folder or record."""

    address: str
    name: str
    via: str
    via_name: str
    write: bool
    until: datetime


@dataclass(frozen=True)
class FolderView:
    """A patient's folder."""

    number: int
    name: str
    record_count: int
    shared_with: list[SharedWith]
    state: ActState = "confirmed"


@dataclass(frozen=True)
class FoldedView:
    """A sender who left more records in an inbox than it shows, and how many more."""

    address: str
    name: str
    count: int


@dataclass(frozen=True)
class SenderView:
    """A doctor or an institution from whom a patient takes no records into the inbox."""

    address: str
    name: str  # "": a patient's, who never gave this actor access
    lifting: bool  # the newest word ends the block, and waits
    state: ActState  # of the newest word
    act: str


@dataclass(frozen=True)
class Terms:
    """What a request asks for, or a grant was given for."""

    purpose: str
    purpose_name: str
    kinds: list[str]
    kind_names: list[str]
    write: bool
    days: int
    note: str


@dataclass(frozen=True)
class RequestView:
    """A request, on the chain or mailed."""

    id: str  # chain id (0x..) or the mailed request's UUID
    by_email: bool
    patient: str  # "" while a mailed one is unanswered
    patient_name: str  # a mailed one: the e-mail address it was sent to (for its author)
    author: str
    author_name: str
    author_key: str  # fingerprint
    via: str
    via_name: str
    terms: Terms | None  # None: `readability` says why
    state: Literal["waiting", "open", "granted", "denied", "withdrawn", "expired", "failed"]
    reason: str
    act: str
    requested_at: datetime
    closed_at: datetime | None = None
    readability: Readability = Readability.READABLE  # of the terms
    reason_damaged: bool = False


@dataclass(frozen=True)
class GrantView:
    """A grant as the patient sees it."""

    patient: str
    grantee: str
    grantee_name: str
    via: str
    via_name: str
    scope: str
    scope_kind: Literal["folder", "record", "selection"]
    scope_name: str
    record_count: int
    write: bool
    not_before: datetime
    expires_at: datetime
    days_left: int
    state: Literal[
        "waiting", "live", "not yet", "paused", "revoked", "given up", "expired", "ended", "failed"
    ]
    granted_at: datetime | None
    act: str  # of what waits: the grant or the revoke
    request: str
    affiliated: bool = True
    has_unusable_key: bool = False  # of a grantee whom nothing new reaches


@dataclass(frozen=True)
class ScopeView:
    """One scope that a doctor holds."""

    scope: str
    kind: Literal["folder", "record", "selection"]
    name: str
    write: bool
    expires_at: datetime
    days_left: int
    own: bool = True  # False: granted to the institution, so not this doctor's to give back


@dataclass(frozen=True)
class PatientView:
    """A patient on a doctor's home page."""

    address: str
    name: str
    via: str
    via_name: str
    scopes: list[ScopeView]
    write: bool
    days_left: int
    expires_at: datetime
    writable_folders: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class ActWords:
    """An act before it is signed: what it says in plain words, and the message itself."""

    kind: str
    words: list[str]
    typed_data: dict[str, Any]  # EIP-712


@dataclass(frozen=True)
class GrantProposal:
    """Exactly what confirming signs. `grant_access` takes the id."""

    id: str
    grantee: str
    grantee_name: str
    grantee_key: str  # fingerprint of the key that envelopes are sealed to
    via: str
    via_name: str
    write: bool
    not_before: datetime
    expires_at: datetime
    scope_words: list[str]
    records: list[RecordView]  # of a selection or single records
    acts: list[ActWords]
    request: str = ""


@dataclass(frozen=True)
class HistoryEntry:
    """One line of the access history: a view, or an event of consent.

    Block and transaction are those of the event; of a view, of the anchor that covers it, once confirmed.
    """

    at: datetime
    action: str  # viewed | listed | requested | granted | ...: log.STEPS and log.VIEWED have them all
    text: str  # the same as the rest of a sentence that begins with the agent's name
    agent: str  # who did it: an address
    agent_name: str
    via: str
    via_name: str
    record: str
    title: str
    state: ActState
    block_number: int | None = None
    tx_hash: str = ""
    count: int = 1  # how many looks, or requests of one sender, this line stands for; `at` is the newest's
    first_at: datetime | None = None

    @property
    def is_view(self) -> bool:
        """Return whether it tells of a look, which no act has made."""
        return self.action in ("viewed", "listed")

    @property
    def each_query(self) -> str:
        """Return the query that makes the history show each look or request of this line by itself."""
        topic = {"topic": "views" if self.is_view else "sharing"}
        record = {"record": self.record} if self.is_view and self.record else {}
        return urlencode({"each": 1, "agent": self.agent} | topic | record)


@dataclass(frozen=True)
class UploadView:
    """A described upload: where its bytes go, whole or in parts.

    `part_bytes` is the size of each part but the last; `parts` how many there are (0: no size was described);
    `next_part` the one that comes next; `digest` (hex) that of the parts so far; see docs/FORMAT.md.
    """

    id: str
    record: str
    patient: str
    state: str
    title: str
    file_name: str
    size: int | None
    max_bytes: int
    part_bytes: int
    parts: int
    next_part: int
    digest: str
    kept_until: datetime

    @property
    def percent(self) -> int:
        """Return how much of it is here."""
        return self.next_part * 100 // self.parts if self.parts else 0


@dataclass(frozen=True)
class OpenedContent:
    """A content whose last chunk is verified; `iterate(start, end)` gives verified plaintext [start, end)."""

    record: str
    version: int
    file_name: str
    media_type: str
    size: int
    iterate: Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True)
class RestoredView:
    """What a restore from a backup changed for an account: phrases, and what has to be done again."""

    since: datetime | None  # the last moment that the backup knows
    back: list[str]
    again: list[str]
    lost: list[tuple[str, str, datetime]]  # what, the other party's address or "", when
