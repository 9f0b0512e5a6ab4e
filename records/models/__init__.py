"""Documents, consent and the view log."""

from records.models.anchors import Anchor, AnchoredLog
from records.models.consent import (
    EmailGrant,
    EmailRequest,
    Envelope,
    EnvelopeList,
    Grant,
    GrantDraft,
    Rekey,
    Request,
    RequestAnswer,
    Selection,
    SelectionRecord,
)
from records.models.documents import (
    Blob,
    BlockedSender,
    FolderState,
    PatientFolder,
    QueuedKey,
    Record,
    Upload,
    Version,
)
from records.models.log import ViewLog
from records.models.storage import Fetch, Holding, PinNode, Replica

__all__ = [
    "Anchor",
    "AnchoredLog",
    "Blob",
    "BlockedSender",
    "EmailGrant",
    "EmailRequest",
    "Envelope",
    "EnvelopeList",
    "Fetch",
    "FolderState",
    "Grant",
    "GrantDraft",
    "Holding",
    "PatientFolder",
    "PinNode",
    "QueuedKey",
    "Record",
    "Rekey",
    "Replica",
    "Request",
    "RequestAnswer",
    "Selection",
    "SelectionRecord",
    "Upload",
    "Version",
    "ViewLog",
]
