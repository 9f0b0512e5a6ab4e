"""Making people: users with a vault, and the accounts they act with. Usable without a request."""

from collections.abc import Iterable
from datetime import date

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts.actor import Actor
from accounts.crypto.bundle import KeyBundle
from accounts.errors import NotAllowed
from accounts.models import Account, User
from accounts.services import errands, vaults


def save_new_user(user: User, *, password: str, kinds: Iterable[str], phrase: str = "") -> KeyBundle:
    """Save a user with a vault and these accounts, in one transaction; returns the opened keys.

    The vault has a fresh phrase, or the one that the person has from before. Raises PhraseError.
    """
    user.email = user.email.lower()
    user.password = make_password(password)
    entropy, vault = vaults.new_vault(user, password, phrase)
    bundle = vaults.bundle_of(user, entropy)
    with transaction.atomic():
        for former in vaults.unverified_holders(entropy) if phrase else ():
            former.accounts.all().delete()
            former.delete()
        user.save()
        vault.save()
        for kind in kinds:
            open_account(user, bundle, kind)
    return bundle


def open_account(user: User, bundle: KeyBundle, kind: str) -> Account:
    """The user's account of this kind, made if need be; its key is published when the e-mail is verified."""
    index = vaults.INDEXES[Account.Kind(kind)]
    account, made = Account.objects.get_or_create(
        user=user, kind=kind, defaults={"address": bundle.accounts[index].address, "index": index}
    )
    if made:
        errands.add_errand(account=account.address, kind="publish-key", subject=account.address)
    return account


def create_person(
    *,
    email: str,
    name: str,
    date_of_birth: date,
    password: str,
    roles: Iterable[str] = (Account.Kind.PATIENT,),
    phrase_confirmed: bool = False,
) -> tuple[User, KeyBundle]:
    """A user with a verified e-mail, as sign-up and code would leave one. Roles are kinds of accounts."""
    user = User(email=email, name=name, date_of_birth=date_of_birth)
    user.full_clean(exclude=["password"])
    bundle = save_new_user(user, password=password, kinds=roles)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    if phrase_confirmed:
        now = timezone.now()
        type(user.vault).objects.filter(user=user).update(phrase_shown_at=now, phrase_confirmed_at=now)
    for actor in actors_of(user, bundle):
        errands.run_errands(actor)
    return user, bundle


def create_administrator(*, email: str, name: str, password: str) -> User:
    """An administrator with a verified e-mail: no vault, no account."""
    user = User.objects.create_superuser(email, password, name=name)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def actors_of(user: User, bundle: KeyBundle) -> list[Actor]:
    """An actor with open keys for each of the user's accounts."""
    return [
        Actor(user=user, account=account, open_bundle=lambda: bundle)
        for account in user.accounts.order_by("index")
    ]


def open_actor(user: User, password: str, kind: str = Account.Kind.PATIENT) -> Actor:
    """The user's actor of this kind, opened by the password. Raises WrongSecret or NotAllowed."""
    bundle = vaults.open_with_password(user, password)
    for actor in actors_of(user, bundle):
        if actor.kind == kind:
            return actor
    raise NotAllowed(f"{user} has no {kind} account.")
