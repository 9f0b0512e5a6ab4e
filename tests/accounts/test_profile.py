"""Profile, the switch between accounts, errands, mails."""

import re
from typing import cast

import pytest
from django.core import mail
from django.test import Client

from accounts.errors import NotAllowed
from accounts.models import Errand
from accounts.notifications import notify
from accounts.requests import PortalRequest
from accounts.services import errands, signup, vaults
from accounts.tasks import send_mails
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.people import PASSWORD, make_patient, make_person

pytestmark = pytest.mark.django_db


def acting_address(client: Client) -> str:
    """As which account this browser acts."""
    request = cast(PortalRequest, client.get("/profile/").wsgi_request)
    assert request.actor is not None
    return request.actor.address


def test_the_profile_shows_who_i_am_and_my_address(chain: ChainNode) -> None:
    user = make_person()
    address = user.accounts.get().address
    client = sign_in(user)
    assert "key waits for confirmation" in client.get("/profile/").content.decode()
    chain.settle()
    page = client.get("/profile/").content.decode()
    assert f"<dd>{user.age} " in page
    assert address in page
    assert "data:image/svg+xml" in page
    assert re.search(r"<dt>Acts on the chain</dt>\s*<dd>1</dd>", page)
    digest = signup.open_actor(user, PASSWORD).own_public_key.digest
    assert digest[2:6].upper() in page
    assert Client().get("/profile/")["Location"].startswith("/accounts/login/")


def test_the_switch_acts_as_another_account_of_ones_own_only(chain: ChainNode) -> None:
    user = make_person(roles=("patient", "practitioner"))
    client = sign_in(user)
    patient, practitioner = user.accounts.order_by("index")
    assert acting_address(client) == patient.address
    assert (
        client.post("/switch/", {"account": practitioner.address, "next": "/profile/"})["Location"]
        == "/profile/"
    )
    assert acting_address(client) == practitioner.address
    stranger = make_person("Bob Hill").accounts.get()
    assert client.post("/switch/", {"account": stranger.address}).status_code == 404
    assert acting_address(client) == practitioner.address
    del chain


def test_a_practitioner_opens_a_patient_account_without_a_password(chain: ChainNode) -> None:
    user = make_person(roles=("practitioner",))
    client = sign_in(user)
    client.post("/profile/patient-account/")
    client.post("/profile/patient-account/")
    assert [account.kind for account in user.accounts.order_by("index")] == ["patient", "practitioner"]
    entropy = vaults.open_entropy(user, PASSWORD)
    assert user.accounts.get(kind="patient").address == vaults.root_of(entropy)
    del chain


def test_opening_an_account_of_a_kind_one_does_not_have_is_refused(chain: ChainNode) -> None:
    with pytest.raises(NotAllowed):
        signup.open_actor(make_person(), PASSWORD, "practitioner")
    del chain


def test_the_pages_form_runs_an_errand_once_and_a_failing_one_spoils_nothing(chain: ChainNode) -> None:
    ran: list[str] = []

    @errands.runs_errand("test-ok")
    def ok(_actor: object, errand: Errand) -> bool:
        ran.append(errand.subject)
        return True

    @errands.runs_errand("test-broken")
    def broken(_actor: object, errand: Errand) -> bool:
        raise RuntimeError(errand.subject)

    user = make_person()
    client = sign_in(user)
    address = user.accounts.get().address
    first = errands.add_errand(account=address, kind="test-ok", subject="one")
    assert errands.add_errand(account=address, kind="test-ok", subject="one") == first
    errands.add_errand(account=address, kind="test-broken", subject="two")
    errands.add_errand(account=make_patient("Bob Hill").address, kind="test-ok", subject="bob's")
    page = client.get("/profile/").content.decode()
    assert "Finishing 2 things that needed you" in page
    assert ran == []
    script = {"accept": "application/json"}
    assert client.post("/key-tasks/", headers=script).json() == {"done": 1, "due": 0}
    assert client.post("/key-tasks/", {"next": "/profile/"})["Location"] == "/profile/"
    assert ran == ["one"]
    assert 'data-key-tasks="0"' in client.get("/profile/").content.decode()
    assert Errand.objects.get(subject="two").state == "open"
    assert Errand.objects.get(subject="two").attempts == 1
    assert errands.add_errand(account=address, kind="test-ok", subject="one") != first
    del chain


def test_a_closed_vault_runs_no_errands(chain: ChainNode) -> None:
    user = make_person()
    actor = signup.actors_of(user, None)[0]  # type: ignore[arg-type]
    assert errands.run_errands(actor) == 0
    del chain


def test_a_mail_is_sent_once_to_whom_it_is_for(chain: ChainNode) -> None:
    user = make_person()
    row = notify(user.accounts.get().address, "waiting", {"path": "/"})
    assert row is not None
    assert send_mails() == 1
    assert send_mails() == 0
    assert [sent.to for sent in mail.outbox] == [[user.email]]
    assert notify("0x" + "0" * 40, "waiting") is None
    del chain
