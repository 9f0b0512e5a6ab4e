"""Keys of accounts and institutions, against those that the chain has."""

import pytest

from accounts.models import Account, Errand, SealedKey, Vault
from tests.records.reconcile.story import ELSEWHERE, OTHER, Story


def test_a_vault_of_another_phrase(story: Story) -> None:
    vault = Vault.objects.get(user=story.patient.user)
    Vault.objects.filter(pk=vault.pk).update(root=ELSEWHERE)
    assert story.the_one("R401").subject == f"vault {vault.pk}"


def test_a_key_that_another_portal_has_moved_on(story: Story) -> None:
    Account.objects.filter(address=story.patient.address).update(key_version=0)
    assert story.the_one("R402").subject == f"account {story.patient.account.pk}"


@pytest.mark.parametrize("whose", ["patient", "institution"])
def test_a_key_that_nobody_is_asked_to_publish(story: Story, whose: str) -> None:
    address = story.patient.address if whose == "patient" else story.clinic.via
    Account.objects.filter(address=address).update(key_version=2)
    story.the_one("R402")
    story.mended("R402")
    asked = Errand.objects.get(state="open")
    assert asked.account == (story.patient.address if whose == "patient" else story.clinic.manager.address)


def test_a_sealed_seed_of_another_key(story: Story) -> None:
    row = SealedKey.objects.filter(kind=SealedKey.Kind.SEED).first()
    assert row is not None
    SealedKey.objects.filter(pk=row.pk).update(digest=OTHER)
    assert story.the_one("R403").subject == f"sealed key {row.pk}"
