"""What can be wrong with files, wrapped keys and envelopes. No message holds a secret or a medical word."""

from accounts.crypto.errors import CryptoError


class FileRefused(CryptoError):
    """Not an MDR1 file, or one that was cut, reordered, mixed or changed: nothing of it may be used."""


class WrongKey(FileRefused):
    """The file was not made with this key for this record and role."""


class FileTooLong(CryptoError):
    """More than 2^32 chunks of plaintext (256 TiB)."""


class CannotUnwrap(CryptoError):
    """The wrapped secret is not this record's, or not under this folder key."""


class EpochOutOfRange(CryptoError):
    """An epoch, generation or folder that does not exist, or a later secret asked of an earlier one."""


class BadName(CryptoError):
    """A folder name that is empty, too long or holds a zero character."""


class BadPayload(CryptoError):
    """What an envelope holds is not what its purpose says."""


class BadList(CryptoError):
    """Not a list of envelopes in its one canonical form."""


class BadDescription(CryptoError):
    """What a description file holds is not a description, or its content is not the one described."""
