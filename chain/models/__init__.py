"""The outbox of acts, what the relayer sends, and the archive of events."""

from chain.models.acts import Act, ActState
from chain.models.events import Block, Cursor, Event, EventDigest
from chain.models.identity import ChainIdentity
from chain.models.incarnations import Incarnation, LostAct
from chain.models.pulses import Pulse
from chain.models.reconcile import AcknowledgedFinding
from chain.models.sending import Attempt, Sender, Transaction
from chain.models.signers import SignerState

__all__ = [
    "AcknowledgedFinding",
    "Act",
    "ActState",
    "Attempt",
    "Block",
    "ChainIdentity",
    "Cursor",
    "Event",
    "EventDigest",
    "Incarnation",
    "LostAct",
    "Pulse",
    "Sender",
    "SignerState",
    "Transaction",
]
