"""Keys from a phrase's entropy, and the hashes and ciphers that they are used with (docs/FORMAT.md)."""

import functools
import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import Refused
from .words import phrase_of

SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
SUITE_BYTE = b"\1"
SEALED_LEAST = 1 + 1120 + 16
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1's group."""
_HARD = 1 << 31


def hkdf(secret: bytes, name: str, *fields: bytes) -> bytes:
    """32 bytes for a label and its fields: HKDF-SHA256."""
    return HKDF(hashes.SHA256(), 32, None, b"".join((f"medrec/v1/{name}\0".encode(), *fields))).derive(secret)


def signer_address(entropy: bytes, account: int) -> bytes:
    """The 20 bytes of the address of the signing key at m/44'/60'/0'/0/account (BIP-39, BIP-32, BIP-44)."""
    seed = hashlib.pbkdf2_hmac("sha512", phrase_of(entropy).encode(), b"mnemonic", 2048)
    node = hmac.digest(b"Bitcoin seed", seed, "sha512")
    for place in (44 + _HARD, 60 + _HARD, _HARD, 0, account):
        key, chain = node[:32], node[32:]
        point = _public(key)
        start = b"\0" + key if place >= _HARD else bytes((2 + point[1] % 2,)) + point[0].to_bytes(32, "big")
        tweaked = hmac.digest(chain, start + place.to_bytes(4, "big"), "sha512")
        number = (int.from_bytes(tweaked[:32], "big") + int.from_bytes(key, "big")) % ORDER
        node = number.to_bytes(32, "big") + tweaked[32:]
    x, y = _public(node[:32])
    return keccak256(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:]


class SharingKey:
    """A version of an account's sharing key: the pair, its published form and that form's digest."""

    def __init__(self, entropy: bytes, account: int, generation: int, version: int) -> None:
        place = b"".join(number.to_bytes(4, "big") for number in (account, generation, version))
        seed = hashlib.shake_256(hkdf(entropy, "sharing-seed", place)).digest(96)
        first = mlkem.MLKEM768PrivateKey.from_seed_bytes(seed[:64])
        second = x25519.X25519PrivateKey.from_private_bytes(seed[64:])
        self._pair = hpke.MLKEM768X25519PrivateKey(first, second)
        halves = first.public_key().public_bytes_raw() + second.public_key().public_bytes_raw()
        self.public = SUITE_BYTE + halves
        self.digest = keccak256(self.public)

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Open bytes that were sealed to this key in this context. Raises Refused."""
        return open_sealed(self._pair, sealed, info)


def open_sealed(pair: hpke.MLKEM768X25519PrivateKey, sealed: bytes, info: bytes) -> bytes:
    """Open bytes that were sealed to a sharing key in this context. Raises Refused."""
    if len(sealed) < SEALED_LEAST or sealed[:1] != SUITE_BYTE:
        raise Refused("sealed bytes of a suite that is not known")
    try:
        return SUITE.decrypt(sealed[1:], pair, info=info)
    except InvalidTag as error:
        raise Refused("an envelope that this phrase's key does not open in this place") from error


@functools.cache
def folder_secret(entropy: bytes, account: int, origin: bytes, folder: int, epoch: int) -> bytes:
    """The secret of a folder's packed epoch, from the patient's own entropy."""
    root = hkdf(entropy, "folder-root", account.to_bytes(4, "big"))
    place = origin, (epoch >> 16).to_bytes(2, "big"), folder.to_bytes(2, "big")
    return earlier_secret(hkdf(root, "folder-secret", *place), 0xFFFF - (epoch & 0xFFFF))


@functools.cache
def earlier_secret(secret: bytes, steps: int) -> bytes:
    """The secret of so many epochs before."""
    for _ in range(steps):
        secret = hashlib.sha256(b"medrec/v1/folder-step\0" + secret).digest()
    return secret


def unwrap(folder_key: bytes, record: bytes, wrapped: bytes) -> bytes:
    """The data key in a wrapped secret. Raises Refused."""
    if len(wrapped) != 40:
        raise Refused("a wrapped secret has 40 bytes")
    try:
        return keywrap.aes_key_unwrap(hkdf(folder_key, "record-wrap", record), wrapped)
    except keywrap.InvalidUnwrap as error:
        raise Refused("a wrapped secret of another folder or record") from error


def selection_id(patient: bytes, nonce: bytes, records: list[bytes]) -> bytes:
    """The id that a list of records, in order, has."""
    return keccak256(patient + nonce + b"".join(records))


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum has it: the sponge of FIPS 202 with the padding of before."""
    padded = bytearray(data + b"\1" + bytes(135 - len(data) % 136))
    padded[-1] ^= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for at in range(0, len(padded), 136):
        for place in range(17):
            word = padded[at + 8 * place : at + 8 * place + 8]
            lanes[place % 5][place // 5] ^= int.from_bytes(word, "little")
        lanes = _keccak_f(lanes)
    return b"".join(lanes[place][0].to_bytes(8, "little") for place in range(4))


def _keccak_f(lanes: list[list[int]]) -> list[list[int]]:
    """The permutation, after CompactFIPS202 of the Keccak team (CC0)."""
    lfsr = 1
    for _ in range(24):
        sums = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        mixed = [sums[(x + 4) % 5] ^ _rotate(sums[(x + 1) % 5], 1) for x in range(5)]
        lanes = [[lanes[x][y] ^ mixed[x] for y in range(5)] for x in range(5)]
        x, y = 1, 0
        current = lanes[x][y]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], _rotate(current, (step + 1) * (step + 2) // 2)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5])
        for bit in range(7):
            lfsr = (lfsr << 1 ^ (lfsr >> 7) * 0x71) % 256
            if lfsr & 2:
                lanes[0][0] ^= 1 << (1 << bit) - 1
    return lanes


def _rotate(lane: int, bits: int) -> int:
    bits %= 64
    return (lane >> 64 - bits | lane << bits) & (1 << 64) - 1


def _public(key: bytes) -> tuple[int, int]:
    numbers = ec.derive_private_key(int.from_bytes(key, "big"), ec.SECP256K1()).public_key().public_numbers()
    return numbers.x, numbers.y
