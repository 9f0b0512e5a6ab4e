"""The page that says what a restore from a backup changed."""

import pytest
from django.urls import reverse

from accounts.models import Errand
from accounts.services.errands import add_errand
from records.services.after_restore import AFTER_RESTORE
from tests.records.web.conftest import Clinic, Visitor

pytestmark = pytest.mark.django_db


def leave(account: str, doctor: str) -> str:
    """The address of the page for an account with every kind of change."""
    details = {
        "since": "2026-11-30T21:05:00+00:00",
        "back": {"NewRecord": 2},
        "again": {"RevokeAccess": 1},
        "lost": [["GrantAccess", doctor, "2026-11-30T22:00:00+00:00"]],
    }
    errand = add_errand(account=account, kind=AFTER_RESTORE, subject="2", details=details)
    return reverse("records:restored", args=[errand.pk])


def test_a_person_reads_what_changed_and_puts_it_away(patient: Visitor, clinic: Clinic) -> None:
    address = leave(patient.address, clinic.doctor.address)
    waiting = patient.client.get("/errands/").content.decode()
    assert address in waiting
    assert "One thing that you did has to be done again." in waiting
    assert "your keys" not in waiting
    home = patient.client.get("/").content.decode()
    assert "This portal was restored from a backup. One thing that you did has to be done again." in home
    assert address in home
    assert "for your decision" not in home
    page = patient.client.get(address).content.decode()
    name = clinic.doctor.user.name
    for words in (
        "30 November 2026, 21:05",
        "2 records saved",
        "1 permission ended",
        "permission given",
        name,
    ):
        assert words in page
    for word in ("chain", "ledger", "vault", "epoch", "scope", "0x"):
        assert word not in page.partition("<main")[2].partition("</main")[0].lower()
    assert patient.client.post(address)["Location"] == "/"
    assert Errand.objects.get(kind=AFTER_RESTORE).state == Errand.State.DONE
    assert address not in patient.client.get("/errands/").content.decode()
    assert "I have read this" not in patient.client.get(address).content.decode()


def test_many_things_to_do_again_are_counted(patient: Visitor) -> None:
    lost = [["GrantAccess", "", "2026-11-30T22:00:00+00:00"]] * 2
    add_errand(account=patient.address, kind=AFTER_RESTORE, subject="2", details={"lost": lost})
    assert "2 things that you did have to be done again." in patient.client.get("/errands/").content.decode()


def test_nobody_reads_what_changed_for_somebody_else(
    patient: Visitor, stranger: Visitor, clinic: Clinic
) -> None:
    address = leave(patient.address, clinic.doctor.address)
    for method in (stranger.client.get, stranger.client.post):
        assert method(address).status_code == 404
    assert Errand.objects.get(kind=AFTER_RESTORE).state == Errand.State.OPEN
