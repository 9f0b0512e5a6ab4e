"""A second implementation of what opens records, from docs/FORMAT.md and the RFCs, for the tests.

It shares nothing with the code it checks: HKDF, key wrap, HPKE's key schedule and MDR1 are written out over
HMAC, SHA-256, keccak and single AES blocks or messages.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def label(name: str) -> bytes:
    """L(name) of FORMAT.md."""
    return f"medrec/v1/{name}\0".encode()


def extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract (RFC 5869, 2.2)."""
    return hmac.digest(salt or bytes(32), secret, "sha256")


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869, 2.3)."""
    block, out = b"", b""
    for count in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes((count,)), "sha256")
        out += block
    return out[:length]


def hkdf(secret: bytes, info: bytes, length: int = 32, salt: bytes = b"") -> bytes:
    """HKDF-SHA256."""
    return expand(extract(salt, secret), info, length)


def gcm_seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes = b"") -> bytes:
    """AES-256-GCM: ciphertext and tag."""
    encryptor = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(associated)
    return encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def gcm_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
    """The plaintext; raises InvalidTag."""
    decryptor = Cipher(algorithms.AES(key), modes.GCM(nonce, sealed[-16:])).decryptor()
    decryptor.authenticate_additional_data(associated)
    return decryptor.update(sealed[:-16]) + decryptor.finalize()


def unwrap(key: bytes, wrapped: bytes) -> bytes:
    """AES Key Unwrap (RFC 3394, 2.2.2)."""
    block = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    a, r = wrapped[:8], [wrapped[at : at + 8] for at in range(8, len(wrapped), 8)]
    for t in range(6 * len(r), 0, -1):
        place = (t - 1) % len(r)
        mixed = (int.from_bytes(a, "big") ^ t).to_bytes(8, "big")
        plain = block.update(mixed + r[place])
        a, r[place] = plain[:8], plain[8:]
    if a != b"\xa6" * 8:
        raise ValueError("integrity check failed")
    return b"".join(r)


def hpke_seal(shared_secret: bytes, info: bytes, plaintext: bytes) -> bytes:
    """The ciphertext of HPKE base mode (RFC 9180, 5.1) after X-Wing gave this shared secret."""
    suite = b"HPKE" + bytes.fromhex("647a00010002")

    def labelled_extract(salt: bytes, name: bytes, secret: bytes) -> bytes:
        return extract(salt, b"HPKE-v1" + suite + name + secret)

    def labelled_expand(key: bytes, name: bytes, context: bytes, length: int) -> bytes:
        return expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + name + context, length)

    context = b"\0" + labelled_extract(b"", b"psk_id_hash", b"") + labelled_extract(b"", b"info_hash", info)
    secret = labelled_extract(shared_secret, b"secret", b"")
    key = labelled_expand(secret, b"key", context, 32)
    return gcm_seal(key, labelled_expand(secret, b"base_nonce", context, 12), plaintext)


def open_mdr1(key: bytes, role: int, record_id: bytes, file: bytes) -> bytes:
    """The plaintext of an encrypted file."""
    prefix, salt, commitment, chunks = file[:6], file[6:38], file[38:70], file[70:]
    both = hkdf(key, prefix + bytes((role,)) + record_id, 64, salt)
    if prefix != b"MDR1\x01\x01" or commitment != both[32:]:
        raise ValueError("not this key's file")
    parts = [chunks[at : at + 65552] for at in range(0, len(chunks), 65552)]
    plain = b""
    for index, part in enumerate(parts):
        nonce = index.to_bytes(11, "big") + (b"\x01" if index == len(parts) - 1 else b"\x00")
        plain += gcm_open(both[:32], nonce, part)
    return plain


def folder_key(root: bytes, origin: bytes, generation: int, folder: int, epoch: int) -> bytes:
    """The folder key of an epoch, by the whole chain from the last one."""
    place = origin + generation.to_bytes(2, "big") + folder.to_bytes(2, "big")
    secret = hkdf(root, label("folder-secret") + place)
    for _ in range(65535 - epoch):
        secret = hashlib.sha256(label("folder-step") + secret).digest()
    return hkdf(secret, label("folder-key"))
