"""What is sealed under a password (vaults) or under a random secret (sessions, API tokens, mailed links)."""

import secrets
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from accounts.crypto.derivation import KEY_BYTES, derive, labelled, require_length
from accounts.crypto.errors import BadJson, BadVault, CannotOpen, WrongPassword
from accounts.crypto.phrase import ENTROPY_BYTES
from accounts.crypto.strict_json import JsonObject

MEMORY_KIB, PASSES, LANES = 64 * 1024, 3, 1
NONCE_BYTES = 12
TAG_BYTES = 16
SALT_BYTES = 16
_BOUNDS = {"memory_kib": (MEMORY_KIB, 1024 * 1024), "passes": (PASSES, 16), "lanes": (1, 16)}


@dataclass(frozen=True)
class SealedVault:
    """Entropy sealed under a password, with the parameters of the Argon2id that made the key."""

    memory_kib: int
    passes: int
    lanes: int
    salt: bytes
    nonce: bytes
    ciphertext: bytes

    def to_dict(self) -> dict[str, Any]:
        """For JSON: integers, and bytes as hex."""
        values = {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(self).items()}
        return {"format": 1, "kdf": "argon2id", **values}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SealedVault":
        """What `to_dict` gave, its parameters checked: too cheap or too dear is refused. Raises BadVault."""
        try:
            fields = JsonObject(values)
            fields.constant("format", 1)
            fields.constant("kdf", "argon2id")
            costs = {
                name: fields.number(name, least=least, most=most) for name, (least, most) in _BOUNDS.items()
            }
            return cls(
                **costs,
                salt=fields.hex_bytes("salt", SALT_BYTES),
                nonce=fields.hex_bytes("nonce", NONCE_BYTES),
                ciphertext=fields.hex_bytes("ciphertext", ENTROPY_BYTES + TAG_BYTES),
            )
        except BadJson as error:
            raise BadVault(
                "not a sealed vault of this format, or its parameters are out of bounds"
            ) from error


def seal_vault(entropy: bytes, password: str, user_id: str, purpose: str) -> SealedVault:
    """Seal 32 bytes of entropy under a password. Takes about 0.15 s and 64 MiB: not inside a transaction."""
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    key = _password_key(password, salt, MEMORY_KIB, PASSES, LANES)
    plaintext = require_length("entropy", entropy, ENTROPY_BYTES)
    ciphertext = AESGCM(key).encrypt(nonce, plaintext, _vault_context(user_id, purpose))
    return SealedVault(MEMORY_KIB, PASSES, LANES, salt, nonce, ciphertext)


def open_vault(vault: SealedVault, password: str, user_id: str, purpose: str) -> bytes:
    """The 32 bytes of entropy. Raises WrongPassword, also for another user's or purpose's vault."""
    key = _password_key(password, vault.salt, vault.memory_kib, vault.passes, vault.lanes)
    try:
        return AESGCM(key).decrypt(vault.nonce, vault.ciphertext, _vault_context(user_id, purpose))
    except InvalidTag as error:
        raise WrongPassword("the password does not open the vault") from error


def seal_under(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Nonce (12 random bytes) and AES-256-GCM ciphertext. `associated` is needed again to open.

    Random nonces: at most 2^32 uses of one key.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(require_length("key", key, KEY_BYTES)).encrypt(nonce, plaintext, associated)


def open_under(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    """What `seal_under` sealed. Raises CannotOpen."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise CannotOpen("too short to be sealed bytes")
    cipher = AESGCM(require_length("key", key, KEY_BYTES))
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
    except InvalidTag as error:
        raise CannotOpen("this key and context do not open it") from error


def token_key(secret: str) -> bytes:
    """The AES-256 key that an API token's secret (random, at least 16 characters) makes for its bundle."""
    return derive(secret.encode(), labelled("token-key"))


def link_key(secret: str) -> bytes:
    """The AES-256 key that a mailed link's secret (random, at least 16 characters) makes for its terms."""
    return derive(secret.encode(), labelled("link-key"))


def _password_key(password: str, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    # NFKC: the same password typed on another keyboard may arrive as other code points (NIST SP 800-63B).
    typed = unicodedata.normalize("NFKC", password).encode()
    kdf = Argon2id(salt=salt, length=KEY_BYTES, iterations=passes, lanes=lanes, memory_cost=memory_kib)
    return kdf.derive(typed)


def _vault_context(user_id: str, purpose: str) -> bytes:
    if "\x00" in user_id + purpose:
        raise ValueError("user and purpose hold no zero byte")
    return labelled("vault", user_id.encode(), b"\x00", purpose.encode())
