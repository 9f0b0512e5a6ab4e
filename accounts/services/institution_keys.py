"""An institution's own keys: its entropy sealed to managers, its sharing seeds to doctors."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from accounts.crypto.derivation import labelled, u32
from accounts.crypto.errors import CryptoError
from accounts.crypto.keys import SharingKey, address_of, sharing_seed, signing_key
from accounts.crypto.origin import Origin, address_bytes
from accounts.crypto.sealing import open_sealed, seal
from accounts.errors import NotAllowed
from accounts.models import Account, Institution, Membership, SealedKey
from accounts.services import errands
from accounts.services.directory import PublicKey
from chain.acts.messages import SignedAct, prepare_act, sign_act

if TYPE_CHECKING:
    from accounts.actor import Actor

INDEX = 0


def key_info(origin: Origin, row: SealedKey) -> bytes:
    """What a sealed key is bound to (docs/FORMAT.md, institution keys)."""
    return labelled(
        f"institution-{row.kind}",
        origin.to_bytes(),
        address_bytes(row.institution.address),
        address_bytes(row.recipient),
        bytes.fromhex(row.recipient_key.removeprefix("0x")),
        u32(row.generation),
        u32(row.version),
    )


def seal_entropy(origin: Origin, institution: Institution, entropy: bytes, recipient: PublicKey) -> SealedKey:
    """A row (not yet saved) with the institution's entropy for one manager."""
    row = SealedKey(
        institution=institution,
        recipient=recipient.account,
        recipient_key=recipient.digest,
        kind=SealedKey.Kind.ENTROPY,
    )
    row.sealed = seal(recipient.key, key_info(origin, row), entropy)
    return row


def seal_seeds(
    origin: Origin, institution: Institution, entropy: bytes, versions: Iterable[int], recipient: PublicKey
) -> list[SealedKey]:
    """Rows (not yet saved) with these versions of the institution's sharing seed for one doctor."""
    rows = []
    for version in versions:
        seed = sharing_seed(entropy, INDEX, 0, version)
        row = SealedKey(
            institution=institution,
            recipient=recipient.account,
            recipient_key=recipient.digest,
            kind=SealedKey.Kind.SEED,
            version=version,
            digest=SharingKey(seed).digest,
        )
        row.sealed = seal(recipient.key, key_info(origin, row), seed)
        rows.append(row)
    return rows


def sign_publication(address: str, entropy: bytes, version: int) -> SignedAct:
    """The signed publication of a version of the institution's sharing key."""
    key = SharingKey(sharing_seed(entropy, INDEX, 0, version))
    act = prepare_act("PublishKey", author=address, version=version, key=key.public)
    return sign_act(act, signing_key(entropy, INDEX))


def save_sealed_keys(rows: Iterable[SealedKey]) -> None:
    """Save rows; one that is there already for the same recipient and version is replaced."""
    SealedKey.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["institution", "recipient", "kind", "generation", "version"],
        update_fields=["recipient_key", "digest", "sealed"],
    )


def open_entropy(actor: "Actor", institution: Institution) -> bytes:
    """The institution's entropy, by a manager's keys; it must yield the institution's address.

    Raises VaultClosed, or NotAllowed for whoever is no manager or has not been sealed it yet.
    """
    require_manager(actor, institution)
    row = SealedKey.objects.filter(
        institution=institution, recipient=actor.address, kind=SealedKey.Kind.ENTROPY
    ).first()
    if row is None:
        raise NotAllowed("Another manager's next visit hands you the institution's keys.")
    entropy = _open(actor, row)
    if entropy is None or address_of(signing_key(entropy, INDEX)) != institution.address:
        raise NotAllowed("The keys on file are not this institution's. Tell the administrator.")
    return entropy


def open_seed(actor: "Actor", key_digest: str) -> bytes | None:
    """The institution's sharing seed whose public key has this digest, if this actor was sealed it."""
    row = (
        SealedKey.objects.select_related("institution")
        .filter(recipient=actor.address, kind=SealedKey.Kind.SEED, digest=key_digest)
        .first()
    )
    seed = _open(actor, row) if row is not None else None
    return seed if seed is not None and SharingKey(seed).digest == key_digest else None


def institutions_with_seeds(address: str) -> set[str]:
    """Addresses of the institutions of which this practitioner holds sharing seeds."""
    rows = SealedKey.objects.filter(recipient=address, kind=SealedKey.Kind.SEED)
    return set(rows.values_list("institution__address", flat=True))


def require_manager(actor: "Actor", institution: Institution) -> None:
    """Raise NotAllowed unless the actor's account is an active manager's of this institution."""
    if not is_manager(actor.account, institution):
        raise NotAllowed("Only a manager of this institution can do this, acting as practitioner.")


def is_manager(account: Account, institution: Institution) -> bool:
    """Whether this practitioner account manages the institution."""
    return Membership.objects.filter(
        institution=institution,
        account=account,
        role=Membership.Role.MANAGER,
        state=Membership.State.ACTIVE,
    ).exists()


def leave_errand_for_managers(
    institution: Institution, kind: str, about: str, *, but: str = "", details: dict[str, Any] | None = None
) -> None:
    """One errand for each active manager but one; the subject is "<institution's id>:<about>"."""
    managers = institution.memberships.filter(role=Membership.Role.MANAGER, state=Membership.State.ACTIVE)
    for address in managers.exclude(account__address=but).values_list("account__address", flat=True):
        errands.add_errand(account=address, kind=kind, subject=f"{institution.pk}:{about}", details=details)


def institution_account(institution: Institution) -> Account:
    """The institution's account. Raises NotAllowed before its first manager has accepted."""
    account = institution.accounts.filter(kind=Account.Kind.INSTITUTION).first()
    if account is None:
        raise NotAllowed("The institution has no keys yet: no manager has accepted an invitation.")
    return account


def _open(actor: "Actor", row: SealedKey) -> bytes | None:
    seeds = (
        seed for seed in actor.keys.sharing_seeds.values() if SharingKey(seed).digest == row.recipient_key
    )
    seed = next(seeds, None)
    if seed is None:
        return None
    try:
        return open_sealed(seed, key_info(actor.origin, row), bytes(row.sealed))
    except CryptoError:
        return None  # a damaged row opens nothing, and takes down no page of its doctor
