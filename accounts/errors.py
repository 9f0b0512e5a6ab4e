"""What can go wrong around people and keys, in words that a page may show."""


class AccountsError(Exception):
    """Base class; `str()` is a sentence for the person."""


class VaultClosed(AccountsError):
    """The keys are not open in this session: the closed-vault page asks for password or phrase."""

    def __init__(self) -> None:
        super().__init__("Your vault is closed. Open it with your password or your recovery phrase.")


class ReadOnlyToken(AccountsError):
    """The API token may read, not act."""

    def __init__(self) -> None:
        super().__init__("This token may only read.")


class WrongSecret(AccountsError):
    """A password or a phrase that does not open this vault."""


class VaultStale(WrongSecret):
    """The password was reset without the phrase: only the phrase opens the vault."""

    def __init__(self) -> None:
        super().__init__("Your password was reset, so only your recovery phrase opens your vault.")


class BadAddress(AccountsError):
    """Not an address, or one with a wrong checksum."""


class NoPublishedKey(AccountsError):
    """The account has no sharing key on the chain yet: nothing can be sealed to it."""

    def __init__(self, address: str) -> None:
        super().__init__(f"The account {address} has not published its key yet. Try again in a minute.")
        self.address = address


class UnusableKey(NoPublishedKey):
    """The newest sharing key of the account is none: nothing can be sealed to it, nor to the one before."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.args = (
            f"The key that the account {address} has published cannot be used. It has to publish another.",
        )


class InvitationRefused(AccountsError):
    """Unknown, expired, used, or meant for another e-mail address."""


class NotAllowed(AccountsError):
    """The person is not a manager of this institution, or may not do this."""


class TokenRefused(AccountsError):
    """An API token that may not be made."""


class LimitReached(AccountsError):
    """So much of it is not taken in a day, or at all (`accounts.limits`)."""

    status = 429

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        """`retry_after`: seconds until there is room again, if time makes it."""
        super().__init__(message)
        self.retry_after = retry_after
