"""Publishing sharing keys on the chain, once the e-mail is verified."""

from django.db import transaction

from accounts.actor import Actor
from accounts.models import Errand, PublishedKey, Vault
from accounts.services.errands import runs_errand
from chain.acts.messages import prepare_act
from chain.models import Act
from chain.node.client import published_version
from chain.outbox.submit import submit_act


@runs_errand("publish-key")
def publish_own_key(actor: Actor, errand: Errand) -> bool:  # noqa: ARG001
    """Submit PublishKey for the newest version of the actor's key; waits until the e-mail is verified."""
    if not actor.user.email_verified:
        return False
    key = actor.own_public_key
    if is_published_or_waiting(actor.address, key.version) or _is_published_before(actor, key.version):
        return True
    act = prepare_act("PublishKey", author=actor.address, version=key.version, key=key.key)
    signed = actor.sign(act)
    with transaction.atomic():
        submit_act(signed)
    return True


def _is_published_before(actor: Actor, version: int) -> bool:
    """Whether the contract has the key of a phrase that was brought along, and the tables not yet.

    Raises ChainUnavailable: nothing is signed before that is known.
    """
    if not Vault.objects.filter(user=actor.user, phrase_existed=True).exists():
        return False
    return published_version(actor.address) >= version


def is_published_or_waiting(address: str, version: int) -> bool:
    """Whether this version of an account's key is confirmed, or on its way."""
    waiting = Act.objects.waiting().of_kind("PublishKey").by(address).filter(number=version)
    return PublishedKey.objects.filter(account=address, version=version).exists() or waiting.exists()
