"""Makes a file whose only chunk AES-GCM opens under two keys.

Source: Dodis, Grubbs, Ristenpart, Woodage, "Fast Message Franking" (2018), section 3. GHASH is linear, so one
free block of the ciphertext can be chosen to give the same tag under both keys.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.vectors import independent

ONE = 1 << 127
"""The field's one: GCM writes the lowest power first."""


def multiply(a: int, b: int) -> int:
    """The product in GCM's field (NIST SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (0xE1 << 120 if b & 1 else 0)
    return product


def power(a: int, exponent: int) -> int:
    """a to this power."""
    result = ONE
    while exponent:
        if exponent & 1:
            result = multiply(result, a)
        a = multiply(a, a)
        exponent >>= 1
    return result


def aes(key: bytes, block: bytes) -> int:
    """One block of AES, as a number."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return int.from_bytes(encryptor.update(block), "big")


def tag(key: bytes, nonce: bytes, blocks: list[int]) -> int:
    """GCM's tag of whole blocks without associated data, for a nonce of 12 bytes."""
    h, state = aes(key, bytes(16)), 0
    for block in [*blocks, len(blocks) * 128]:
        state = multiply(state ^ block, h)
    return state ^ aes(key, nonce + b"\x00\x00\x00\x01")


def file_for_two_keys(first: bytes, second: bytes, record_id: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """(MDR1 content file committed to the first key, its plaintext). The chunk opens under the second too."""
    info = b"MDR1\x01\x01\x01" + record_id
    derived = [independent.hkdf(key, info, 64, salt) for key in (first, second)]
    keys, nonce = [both[:32] for both in derived], bytes(11) + b"\x01"
    # The tag is T(fixed blocks, free block 0) + free * h^2: the free block stands before the length block.
    blocks = [int.from_bytes(b"sixteen byte blk", "big"), 0]
    wanted = tag(keys[0], nonce, blocks) ^ tag(keys[1], nonce, blocks)
    squares = [power(aes(key, bytes(16)), 2) for key in keys]
    blocks[1] = multiply(wanted, power(squares[0] ^ squares[1], 2**128 - 2))
    chunk = b"".join(block.to_bytes(16, "big") for block in [*blocks, tag(keys[0], nonce, blocks)])
    header = b"MDR1\x01\x01" + salt + derived[0][32:]
    return header + chunk, independent.gcm_open(keys[0], nonce, chunk)
