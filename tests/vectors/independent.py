"""A second implementation of what opens records, from docs/FORMAT.md and the RFCs, for the tests.

It shares nothing with the code it checks: BIP-32, HKDF, key wrap, X-Wing, HPKE's key schedule and MDR1 are
written out over HMAC, SHA-2, SHA-3, ML-KEM, X25519 and single AES blocks or messages.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from eth_hash.auto import keccak

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1's group."""


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
    """The plaintext. Raises InvalidTag."""
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
    return gcm_seal(*_hpke_key(shared_secret, info), plaintext)


def open_sealed(seed: bytes, info: bytes, sealed: bytes) -> bytes:
    """Open what was sealed to the sharing key of this seed (FORMAT.md, "Sealing to a sharing key")."""
    if sealed[0] != 1:
        raise ValueError("not suite 1")
    return gcm_open(*_hpke_key(_decapsulate(seed, sealed[1:1121]), info), sealed[1121:])


def sharing_key(seed: bytes) -> bytes:
    """The 1,217 bytes published for a sharing seed."""
    kem, curve = _halves(seed)
    return b"\x01" + kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def _halves(seed: bytes) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
    expanded = hashlib.shake_256(seed).digest(96)
    kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    return kem, x25519.X25519PrivateKey.from_private_bytes(expanded[64:])


def _decapsulate(seed: bytes, enc: bytes) -> bytes:
    """X-Wing's shared secret (draft-connolly-cfrg-xwing-kem, 5.5)."""
    kem, curve = _halves(seed)
    theirs = x25519.X25519PublicKey.from_public_bytes(enc[1088:])
    secrets = kem.decapsulate(enc[:1088]) + curve.exchange(theirs)
    public = curve.public_key().public_bytes_raw()
    return hashlib.sha3_256(secrets + enc[1088:] + public + bytes.fromhex("5c2e2f2f5e5c")).digest()


def _hpke_key(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of the first message."""
    suite = b"HPKE" + bytes.fromhex("647a00010002")

    def labelled_extract(salt: bytes, name: bytes, secret: bytes) -> bytes:
        return extract(salt, b"HPKE-v1" + suite + name + secret)

    def labelled_expand(key: bytes, name: bytes, context: bytes, length: int) -> bytes:
        return expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + name + context, length)

    context = b"\0" + labelled_extract(b"", b"psk_id_hash", b"") + labelled_extract(b"", b"info_hash", info)
    secret = labelled_extract(shared_secret, b"secret", b"")
    key = labelled_expand(secret, b"key", context, 32)
    return key, labelled_expand(secret, b"base_nonce", context, 12)


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


def signing_key(phrase: str, account: int) -> tuple[bytes, bytes]:
    """(private key, its address) at m/44'/60'/0'/0/account of a phrase (BIP-39, BIP-32)."""
    seed = hashlib.pbkdf2_hmac("sha512", phrase.encode(), b"mnemonic", 2048)
    both = hmac.digest(b"Bitcoin seed", seed, "sha512")
    for place in (44 + 2**31, 60 + 2**31, 2**31, 0, account):
        key = both[:32]
        data = b"\0" + key if place >= 2**31 else _compressed(_public(key))
        tweaked = hmac.digest(both[32:], data + place.to_bytes(4, "big"), "sha512")
        child = (int.from_bytes(tweaked[:32], "big") + int.from_bytes(key, "big")) % ORDER
        both = child.to_bytes(32, "big") + tweaked[32:]
    x, y = _public(both[:32])
    return both[:32], keccak(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[-20:]


def merkle_root(entries: list[bytes]) -> bytes:
    """The Merkle Tree Hash (RFC 9162, 2.1.1), by its recursive definition."""
    if len(entries) < 2:
        return hashlib.sha256(b"".join(b"\0" + entry for entry in entries)).digest()
    k = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + merkle_root(entries[:k]) + merkle_root(entries[k:])).digest()


def _public(key: bytes) -> tuple[int, int]:
    numbers = ec.derive_private_key(int.from_bytes(key, "big"), ec.SECP256K1()).public_key().public_numbers()
    return numbers.x, numbers.y


def _compressed(point: tuple[int, int]) -> bytes:
    return bytes((2 + point[1] % 2,)) + point[0].to_bytes(32, "big")
