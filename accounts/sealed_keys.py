"""The keys of institutions, sealed to the people who act for them, and opened by theirs."""

from accounts.crypto.derivation import labelled, u32
from accounts.crypto.errors import CryptoError
from accounts.crypto.keys import SharingKey
from accounts.crypto.origin import Origin, address_bytes
from accounts.crypto.sealing import open_sealed
from accounts.models import SealedKey


def key_info(origin: Origin, row: SealedKey) -> bytes:
    """Return what a sealed key is bound to (docs/FORMAT.md, institution keys)."""
    return labelled(
        f"institution-{row.kind}",
        origin.to_bytes(),
        address_bytes(row.institution.address),
        address_bytes(row.recipient),
        bytes.fromhex(row.recipient_key.removeprefix("0x")),
        u32(row.generation),
        u32(row.version),
    )


def open_seed(origin: Origin, address: str, own_seeds: dict[str, bytes], key_digest: str) -> bytes | None:
    """Return the institution's sharing seed of this public key's digest, if this address was sealed it."""
    row = (
        SealedKey.objects.select_related("institution")
        .filter(recipient=address, kind=SealedKey.Kind.SEED, digest=key_digest)
        .first()
    )
    seed = open_row(origin, own_seeds, row) if row is not None else None
    return seed if seed is not None and SharingKey(seed).digest == key_digest else None


def institutions_with_seeds(address: str) -> set[str]:
    """Return the addresses of the institutions of which this practitioner holds sharing seeds."""
    rows = SealedKey.objects.filter(recipient=address, kind=SealedKey.Kind.SEED)
    return set(rows.values_list("institution__address", flat=True))


def open_row(origin: Origin, own_seeds: dict[str, bytes], row: SealedKey) -> bytes | None:
    """Return what a row seals. `own_seeds` are by digest; None where none of them opens it."""
    seed = own_seeds.get(row.recipient_key)
    if seed is None:
        return None
    try:
        return open_sealed(seed, key_info(origin, row), bytes(row.sealed))
    except CryptoError:
        return None  # a damaged row opens nothing, and takes down no page of its doctor
