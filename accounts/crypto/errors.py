"""What can be wrong with secrets and sealed bytes. No message holds one; PhraseError names a wrong word."""


class CryptoError(Exception):
    """Base class: bytes or a secret were refused, and nothing of them was used."""


class PhraseError(CryptoError):
    """A phrase with a wrong word, number of words or checksum; `str()` is for the person who typed it."""


class WrongPassword(CryptoError):
    """The password does not open this vault, or the vault was changed."""


class BadJson(CryptoError):
    """Not JSON as docs/FORMAT.md has it, or a field that is missing or is not what it has to be."""


class BadVault(CryptoError):
    """Not a sealed vault, or one whose parameters are out of bounds."""


class BadBundle(CryptoError):
    """Not a serialised key bundle."""


class BadPublicKey(CryptoError):
    """Not a sharing key: wrong length, suite or point."""


class CannotOpen(CryptoError):
    """Sealed bytes that this key and context do not open: another recipient, another context, or changed."""
