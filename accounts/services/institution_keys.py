"""An institution's own keys: its entropy sealed to managers, its sharing seeds to doctors."""

from collections.abc import Iterable
from typing import Any

from accounts.actor import Actor
from accounts.crypto.keys import SharingKey, address_of, sharing_seed, signing_key
from accounts.crypto.origin import Origin
from accounts.crypto.sealing import seal
from accounts.directory import PublicKey
from accounts.errors import NotAllowed
from accounts.models import Account, Institution, Membership, SealedKey
from accounts.sealed_keys import key_info
from accounts.services import errands
from chain.acts.messages import SignedAct, prepare_act, sign_act

INDEX = 0


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


def open_entropy(actor: Actor, institution: Institution) -> bytes:
    """The institution's entropy, by a manager's keys; it must yield the institution's address.

    Raises VaultClosed, or NotAllowed for whoever is no manager or has not been sealed it yet.
    """
    require_manager(actor, institution)
    row = SealedKey.objects.filter(
        institution=institution, recipient=actor.address, kind=SealedKey.Kind.ENTROPY
    ).first()
    if row is None:
        raise NotAllowed("Another manager's next visit hands you the institution's keys.")
    entropy = actor.open_sealed(row)
    if entropy is None or address_of(signing_key(entropy, INDEX)) != institution.address:
        raise NotAllowed("The keys on file are not this institution's. Tell the administrator.")
    return entropy


def require_manager(actor: Actor, institution: Institution) -> None:
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
