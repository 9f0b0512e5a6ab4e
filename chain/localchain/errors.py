"""What can go wrong with the local chain, in words for the person at the terminal."""


class LocalChainError(Exception):
    """The local chain cannot go on; the message says why and what to do."""


class NodeGone(LocalChainError):
    """The node process died, or no longer answers."""


class NodeRefused(LocalChainError):
    """The node answered a request with an error."""


class JournalBroken(LocalChainError):
    """The journal cannot be read, or does not lead to the chain it describes."""


class LineDamaged(JournalBroken):
    """A line of the journal is not the next block."""
