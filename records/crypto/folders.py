"""Folder secrets: one per epoch, in a chain that only runs backwards, and what hangs on them.

Source: Fu, Kamara, Kohno, "Key Regression: Enabling Efficient Key Distribution for Secure Distributed
Storage" (2006), the SHA-1 construction with SHA-256 and a label.
"""

import hashlib

from accounts.crypto.derivation import derive, labelled, require_length, u16, u32
from accounts.crypto.errors import CannotOpen
from accounts.crypto.origin import Origin
from accounts.crypto.vault import NONCE_BYTES, TAG_BYTES, open_under, seal_under
from records.crypto.errors import BadName, EpochOutOfRange

LAST = 0xFFFF
"""The last epoch, generation and folder number."""
SECRET_BYTES = 32
NAME_BYTES_MAX = 255
_NAME_STEP = 256
NAME_SEALED_BYTES = 4 + NONCE_BYTES + _NAME_STEP + TAG_BYTES
_STEP = labelled("folder-step")


def pack_epoch(generation: int, epoch: int) -> int:
    """The epoch as the contract counts it: generation in the upper 16 bits. Raises EpochOutOfRange."""
    if not (0 <= generation <= LAST and 0 <= epoch <= LAST):
        raise EpochOutOfRange(f"generation {generation}, epoch {epoch}")
    return generation << 16 | epoch


def unpack_epoch(packed: int) -> tuple[int, int]:
    """(generation, epoch) of the contract's 32 bits. Raises EpochOutOfRange."""
    if not 0 <= packed <= 0xFFFFFFFF:
        raise EpochOutOfRange(f"epoch {packed}")
    return packed >> 16, packed & LAST


def folder_secret(root: bytes, origin: Origin, generation: int, folder: int, epoch: int) -> bytes:
    """The 32-byte secret of a folder's epoch (not packed), from the patient's folder root; at most 26 ms.

    Raises EpochOutOfRange.
    """
    pack_epoch(generation, epoch)
    if not 0 <= folder <= LAST:
        raise EpochOutOfRange(f"folder {folder}")
    info = labelled("folder-secret", origin.to_bytes(), u16(generation), u16(folder))
    return earlier_secret(derive(require_length("folder root", root, 32), info), LAST, epoch)


def earlier_secret(secret: bytes, from_epoch: int, to_epoch: int) -> bytes:
    """The secret of the same or an earlier epoch of the same generation. Raises EpochOutOfRange."""
    if not 0 <= to_epoch <= from_epoch <= LAST:
        raise EpochOutOfRange(f"epoch {to_epoch} from epoch {from_epoch}")
    sha256 = hashlib.sha256
    require_length("folder secret", secret, SECRET_BYTES)
    for _ in range(from_epoch - to_epoch):
        secret = sha256(_STEP + secret).digest()
    return secret


def folder_key(secret: bytes) -> bytes:
    """The 32-byte key of an epoch, under which records are wrapped and the folder's name is sealed."""
    return derive(require_length("folder secret", secret, SECRET_BYTES), labelled("folder-key"))


def seal_name(key: bytes, packed_epoch: int, name: str) -> bytes:
    """Seal a folder's name under its key of this epoch; 288 bytes whatever its length. Raises BadName."""
    try:
        plain = name.encode()
    except UnicodeEncodeError as error:
        raise BadName("a folder's name holds half of a character") from error
    if not 0 < len(plain) <= NAME_BYTES_MAX or b"\x00" in plain:
        raise BadName(f"a folder's name has 1 to {NAME_BYTES_MAX} bytes and no zero character")
    epoch = u32(packed_epoch)
    return epoch + seal_under(_name_key(key), plain.ljust(_NAME_STEP, b"\x00"), epoch)


def name_epoch(sealed: bytes) -> int:
    """The packed epoch whose folder key opens a sealed name. Raises CannotOpen."""
    if len(sealed) < 4:
        raise CannotOpen("too short to be a sealed name")
    return int.from_bytes(sealed[:4], "big")


def open_name(key: bytes, sealed: bytes) -> str:
    """The folder's name, under the folder key of `name_epoch(sealed)`. Raises CannotOpen or BadName."""
    epoch = u32(name_epoch(sealed))
    if len(sealed) != NAME_SEALED_BYTES:
        raise CannotOpen(f"a sealed name has {NAME_SEALED_BYTES} bytes")
    plain = open_under(_name_key(key), sealed[4:], epoch).rstrip(b"\x00")
    if not 0 < len(plain) <= NAME_BYTES_MAX or b"\x00" in plain:
        raise BadName("a folder's name is empty or holds a zero character")
    try:
        return plain.decode()
    except UnicodeDecodeError as error:
        raise BadName("a folder's name is no UTF-8") from error


def _name_key(key: bytes) -> bytes:
    return derive(require_length("folder key", key, 32), labelled("folder-name"))
