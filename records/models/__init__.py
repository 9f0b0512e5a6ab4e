"""Documents, consent and the view log."""

from records.models.consent import (
    EmailGrant,
    EmailRequest,
    Envelope,
    EnvelopeList,
    Grant,
    GrantDraft,
    Rekey,
    Request,
    Selection,
    SelectionRecord,
)
from records.models.documents import (
    BlockedSender,
    ContentSize,
    FolderState,
    PatientFolder,
    QueuedKey,
    Record,
    SealedDescription,
    Upload,
    Version,
)
from records.models.log import ViewLog

__all__ = [
    "BlockedSender",
    "ContentSize",
    "EmailGrant",
    "EmailRequest",
    "Envelope",
    "EnvelopeList",
    "FolderState",
    "Grant",
    "GrantDraft",
    "PatientFolder",
    "QueuedKey",
    "Record",
    "Rekey",
    "Request",
    "SealedDescription",
    "Selection",
    "SelectionRecord",
    "Upload",
    "Version",
    "ViewLog",
]
