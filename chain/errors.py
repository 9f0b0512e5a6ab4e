"""What can go wrong between the portal and the chain, as a few types."""


class ChainError(Exception):
    """Anything of the chain's."""


class ActError(ChainError, ValueError):
    """An act that cannot be right: a field missing or out of range, a signature not its author's."""


class ActConflict(ChainError):
    """Somebody else's act, or an earlier one, has taken the place this one wanted (HTTP 409)."""


class ChainUnavailable(ChainError):
    """The node does not answer."""


class BadLog(ChainUnavailable):
    """The node gave a log that the contract cannot have written."""


class LogsMissing(ChainUnavailable):
    """The node has a block whose logs it does not give yet."""


class Reorganised(ChainUnavailable):
    """The chain changed under our eyes; the next run finds the ancestor."""

    def __init__(self) -> None:
        super().__init__("The chain changed while it was read.")


class NodeBehind(ChainUnavailable):
    """The node knows a beginning of the chain we read, and not its end: it lags, or went back in time."""


class RpcRefused(ChainError):
    """The node answered with an error; `data` is the revert reason where there is one."""

    def __init__(self, message: str, code: int = 0, data: bytes = b"") -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class NotDeployed(ChainError):
    """No contract is known yet (`manage.py deploy_contract`)."""


class WrongDeployment(ChainError):
    """The settings, a file or the node name another chain or contract than the database belongs to.

    Pages show the plain text. `explanation` is one line for the operator, with the way out.
    """

    def __init__(self, explanation: str) -> None:
        super().__init__("This portal can save nothing now: its operator has to mend its settings.")
        self.explanation = explanation


def explain(problem: ChainError) -> str:
    """Return what an operator reads of a problem, in one line."""
    return problem.explanation if isinstance(problem, WrongDeployment) else str(problem)


class ChainNotRead(ChainUnavailable):
    """What the chain says now is not known here: so nothing that others shared is shown."""

    retry_after = 3  # seconds

    def __init__(self) -> None:
        super().__init__("Sharing is being checked. Try again in a moment.")


class KeyMismatch(ChainError):
    """A sharing key is not the one whose digest the contract's state holds."""


class MissingKey(ChainError):
    """A signing key of the portal is neither in the settings nor in var/keys (`manage.py make_keys`)."""


class Paused(ChainError):
    """Sending has to wait; the text is the reason shown to people."""
