"""Vaults: making, opening and re-sealing a user's entropy. Argon2 is never run inside a transaction."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.crypto.bundle import KeyBundle, derive_bundle
from accounts.crypto.errors import PhraseError, WrongPassword
from accounts.crypto.keys import address_of, signing_key
from accounts.crypto.phrase import entropy_of, new_entropy
from accounts.crypto.vault import SealedVault, open_vault, seal_vault
from accounts.errors import VaultClosed, VaultStale, WrongSecret
from accounts.models import Account, User, Vault
from chain.models import SignerState

PURPOSE = "entropy"
INDEXES = {Account.Kind.PATIENT: 0, Account.Kind.PRACTITIONER: 1}


def new_vault(user: User, password: str, phrase: str = "") -> tuple[bytes, Vault]:
    """Return entropy, and a vault (not yet saved) with it sealed under the password.

    The entropy is fresh, or that of a phrase which the person has already. Raises PhraseError.
    """
    entropy = entropy_of(phrase) if phrase else new_entropy()
    sealed = seal_vault(entropy, password, str(user.pk), PURPOSE).to_dict()
    vault = Vault(user=user, sealed=sealed, root=root_of(entropy), phrase_existed=bool(phrase))
    if phrase:  # nobody has to be shown it
        vault.phrase_shown_at = vault.phrase_confirmed_at = timezone.now()
    return entropy, vault


def check_new_phrase(phrase: str) -> None:
    """Raise PhraseError unless it is a phrase that can begin an account here; its text is for the person."""
    entropy = entropy_of(phrase)
    addresses = [address_of(signing_key(entropy, index)) for index in INDEXES.values()]
    gone = unverified_holders(entropy)
    known = Vault.objects.filter(root=root_of(entropy)).exclude(user__in=gone)
    if known.exists() or Account.objects.filter(address__in=addresses).exclude(user__in=gone).exists():
        raise PhraseError(
            "Somebody is registered here with this recovery phrase already. If that is you, sign in with the "
            "e-mail address that you used then. If you have forgotten the password, ask for a new one: this "
            "phrase opens your records again."
        )
    if SignerState.objects.filter(account__in=addresses, generation__gt=0).exists():
        raise PhraseError("The keys of this recovery phrase were replaced by others. It opens nothing new.")


def unverified_holders(entropy: bytes) -> "QuerySet[User]":
    """Return those who began to sign up with a phrase and never confirmed their e-mail address.

    Whoever has the phrase may begin again.
    """
    begun = User.objects.filter(vault__root=root_of(entropy), last_login=None)
    return begun.exclude(emailaddress__verified=True)


def open_entropy(user: User, password: str) -> bytes:
    """The user's 32 bytes of entropy.

    Raises WrongSecret, VaultStale after a reset, VaultClosed without a vault.
    """
    vault = _vault_of(user)
    try:
        return open_vault(SealedVault.from_dict(vault.sealed), password, str(user.pk), PURPOSE)
    except WrongPassword as error:
        if vault.stale and user.check_password(password):
            raise VaultStale from error
        raise WrongSecret("That is not your password.") from error


def entropy_from_phrase(user: User, phrase: str) -> bytes:
    """The entropy of a typed phrase. Raises PhraseError for a bad one, WrongSecret for somebody else's."""
    entropy = entropy_of(phrase)
    if root_of(entropy) != _vault_of(user).root:
        raise WrongSecret("That is a recovery phrase, but not the one of this account.")
    return entropy


def root_of(entropy: bytes) -> str:
    """The address of a phrase's first key, kept with the vault to tell a typed phrase from another."""
    return address_of(signing_key(entropy, 0))


def bundle_of(user: User, entropy: bytes) -> KeyBundle:
    """Both accounts' keys, opened or not yet: adding the second account later asks for no password."""
    places = {account.index: (account.generation, account.key_version) for account in user.accounts.all()}
    return derive_bundle(entropy, {index: places.get(index, (0, 1)) for index in INDEXES.values()})


def open_with_password(user: User, password: str) -> KeyBundle:
    """The key bundle. Raises as `open_entropy`."""
    return bundle_of(user, open_entropy(user, password))


def open_with_phrase(user: User, phrase: str, password: str) -> KeyBundle:
    """The key bundle by the phrase; seals the vault under the current password. Raises WrongSecret."""
    if not user.check_password(password):
        raise WrongSecret("That is not your password.")
    entropy = entropy_from_phrase(user, phrase)
    sealed = seal_vault(entropy, password, str(user.pk), PURPOSE).to_dict()
    Vault.objects.filter(user=user).update(sealed=sealed, stale=False, sealed_at=timezone.now())
    return bundle_of(user, entropy)


def change_password(user: User, *, old: str, new: str) -> KeyBundle | None:
    """Set the password and seal the vault under it; opened vaults elsewhere close, and API tokens end.

    Returns the bundle, or None where there is no vault or it stays closed since a reset. Raises WrongSecret.
    """
    try:
        entropy = open_entropy(user, old)
    except (VaultClosed, VaultStale):
        _set_password(user, new, sealed=None, stale=None)
        return None
    sealed = seal_vault(entropy, new, str(user.pk), PURPOSE).to_dict()
    _set_password(user, new, sealed=sealed, stale=False)
    return bundle_of(user, entropy)


def reset_password(user: User, *, password: str, phrase: str) -> None:
    """Set a forgotten password. With the phrase the vault is sealed under it; without, it stays closed.

    Raises crypto.PhraseError or WrongSecret, and then nothing has changed.
    """
    if phrase:
        sealed = seal_vault(entropy_from_phrase(user, phrase), password, str(user.pk), PURPOSE).to_dict()
        _set_password(user, password, sealed=sealed, stale=False)
    else:
        _set_password(user, password, sealed=None, stale=True)


def _set_password(user: User, password: str, *, sealed: dict[str, object] | None, stale: bool | None) -> None:
    user.set_password(password)
    changes: dict[str, object] = {"sealed_at": timezone.now()} if sealed else {}
    if sealed is not None:
        changes["sealed"] = sealed
    if stale is not None:
        changes["stale"] = stale
    with transaction.atomic():
        user.save(update_fields=["password"])
        if changes:
            Vault.objects.filter(user=user).update(**changes)


def _vault_of(user: User) -> Vault:
    vault = Vault.objects.filter(user=user).first()
    if vault is None:
        raise VaultClosed
    return vault
