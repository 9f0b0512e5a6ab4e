"""API tokens: shown once, sealed, bounded by scope, account and time."""

import uuid
from datetime import timedelta

import pytest
from allauth.account.adapter import get_adapter
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from accounts.actor import Actor, ReadOnlyToken
from accounts.api.authentication import TokenAuthentication
from accounts.crypto.phrase import phrase_of
from accounts.errors import TokenRefused
from accounts.models import ApiToken
from accounts.services import invitations, signup, tokens, vaults
from chain.acts.messages import PreparedAct, prepare_act
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode, fresh_person
from tests.people import PASSWORD, make_doctor, make_institution, make_patient, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]


def authenticate(header: str, method: str = "get") -> Actor | None:
    """Return the actor of a request with this Authorization header."""
    factory = APIRequestFactory()
    request = getattr(factory, method)("/api/v1/records/", headers={"authorization": header})
    found = TokenAuthentication().authenticate(Request(request))
    return found[1] if found else None


def an_act(actor: Actor) -> PreparedAct:
    """Some act of the actor's."""
    sender = fresh_person().address
    return prepare_act("BlockSender", author=actor.address, sender=sender, blocked=True, serial=1)


def test_an_acting_token_signs_and_opens_what_its_account_does() -> None:
    patient = make_patient()
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=30)
    actor = authenticate(f"Bearer {secret}")
    assert actor is not None
    assert (actor.user, actor.address) == (patient.user, patient.address)
    assert actor.folder_root == patient.folder_root
    act = an_act(patient)
    assert actor.sign(act) == patient.sign(act)


def test_a_read_only_token_reads_and_does_not_sign() -> None:
    patient = make_patient()
    _, secret = tokens.make_token(actor=patient, name="reader", scope="read", days=30)
    actor = tokens.actor_of(secret)
    assert actor is not None
    assert actor.folder_root == patient.folder_root
    assert not actor.can_sign
    with pytest.raises(ReadOnlyToken):
        actor.sign(an_act(patient))
    assert actor.keys.signing_key is None


def test_a_token_holds_the_keys_of_one_account_alone() -> None:
    user = make_person(roles=("patient", "practitioner"))
    patient = signup.open_actor(user, PASSWORD, "patient")
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=1)
    actor = tokens.actor_of(secret)
    assert actor is not None
    assert list(actor.bundle.accounts) == [0]


def test_who_manages_an_institution_gets_no_read_only_token() -> None:
    _, manager = make_institution()
    with pytest.raises(TokenRefused, match="manages"):
        tokens.make_token(actor=manager, name="reader", scope="read", days=1)
    tokens.make_token(actor=manager, name="actor", scope="act", days=1)


def test_becoming_a_manager_ends_read_only_tokens() -> None:
    institution, _ = make_institution()
    doctor = make_doctor(institution)
    _, reading = tokens.make_token(actor=doctor, name="reader", scope="read", days=1)
    _, acting = tokens.make_token(actor=doctor, name="actor", scope="act", days=1)
    secret = invitations.invite_member(
        institution=institution, email=doctor.user.email, role="manager", invited_by=None
    )
    invitations.accept_invitation(secret=secret, user=doctor.user, bundle=doctor.bundle)
    assert tokens.actor_of(reading) is None
    assert tokens.actor_of(acting) is not None


@pytest.mark.parametrize(("scope", "days"), [("all", 1), ("read", 0), ("read", 10_000)])
def test_scope_and_time_are_bounded(scope: str, days: int) -> None:
    with pytest.raises(TokenRefused):
        tokens.make_token(actor=make_patient(), name="x", scope=scope, days=days)


def test_unknown_ended_and_malformed_tokens_are_refused() -> None:
    patient = make_patient()
    token, secret = tokens.make_token(actor=patient, name="script", scope="act", days=30)
    assert authenticate("") is None
    assert authenticate("Basic abc") is None
    for header in ("Bearer", "Bearer a b", "Bearer medrec_unknown", f"Bearer {secret}x"):
        with pytest.raises(AuthenticationFailed):
            authenticate(header)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tokens.actor_of(secret) is None
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() + timedelta(days=1))
    assert tokens.actor_of(secret) is not None
    stranger = make_patient("Bob Hill")
    assert not tokens.revoke_token(actor=stranger, token_id=token.pk)
    assert tokens.revoke_token(actor=patient, token_id=token.pk)
    assert tokens.actor_of(secret) is None
    token.refresh_from_db()
    assert bytes(token.sealed) == b""


def test_an_inactive_users_token_does_not_work() -> None:
    patient = make_patient()
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=30)
    type(patient.user).objects.filter(pk=patient.user.pk).update(is_active=False)
    assert tokens.actor_of(secret) is None


def test_the_database_holds_neither_the_secret_nor_a_key_in_the_open() -> None:
    patient = make_patient()
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=30)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_apitoken")
        row = b"".join(v if isinstance(v, bytes) else str(v).encode() for v in cursor.fetchone())
    assert secret.encode() not in row
    assert patient.keys.signing_key is not None
    assert patient.keys.signing_key.hex().encode() not in row
    assert patient.folder_root.hex().encode() not in row


def test_the_page_shows_the_secret_once_and_revokes_only_ones_own() -> None:
    user = make_person()
    client = sign_in(user)
    form = {
        "name": "script",
        "scope": "act",
        "days": "30",
        "token_id": str(uuid.uuid4()),
        "password": PASSWORD,
    }
    made = client.post("/tokens/", form)
    assert made.status_code == 201
    assert "made already" in client.post("/tokens/", form).content.decode()
    secret = made.context["secret"]
    assert secret in made.content.decode()
    assert secret not in client.get("/tokens/").content.decode()
    token = ApiToken.objects.get()
    stranger = sign_in(make_person("Bob Hill"))
    assert stranger.post(f"/tokens/{token.pk}/revoke/").status_code == 404
    assert tokens.actor_of(secret) is not None
    client.post(f"/tokens/{token.pk}/revoke/")
    assert tokens.actor_of(secret) is None
    assert Client().get("/tokens/")["Location"].startswith("/accounts/login/")
    assert client.post("/tokens/", {**form, "days": "0"}).status_code == 400


def test_a_call_that_may_change_something_runs_what_waits_for_the_accounts_keys(chain: ChainNode) -> None:
    from accounts.models import Errand
    from accounts.services import errands

    patient = make_patient()
    chain.settle()
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=30)
    errands.add_errand(account=patient.address, kind="publish-key", subject=patient.address)
    authenticate(f"Bearer {secret}")
    assert Errand.objects.get(state="open").attempts == 0
    authenticate(f"Bearer {secret}", "post")
    assert not Errand.objects.filter(state="open").exists()


NEW = "another battery staple"


def test_a_stolen_session_makes_no_token() -> None:
    client = sign_in(make_person())
    form = {"name": "script", "scope": "act", "days": "30", "token_id": str(uuid.uuid4())}
    for password in ({}, {"password": ""}, {"password": "wrong battery staple"}):
        answer = client.post("/tokens/", form | password)
        assert answer.status_code == 400
        assert 'value="script"' in answer.content.decode()
    assert not ApiToken.objects.exists()
    assert client.post("/tokens/", form | {"password": PASSWORD}).status_code == 201


def test_wrong_passwords_at_the_token_page_are_counted() -> None:
    client = sign_in(make_person())
    form = {"name": "script", "scope": "act", "days": "30", "token_id": str(uuid.uuid4())}
    said = [
        client.post("/tokens/", form | {"password": f"wrong battery {n}"}).content.decode() for n in range(6)
    ]
    assert "Too many failed" in said[-1]
    assert "Too many failed" in client.post("/tokens/", form | {"password": PASSWORD}).content.decode()


@pytest.mark.parametrize("how", ["change", "reset", "reset-with-phrase", "set", "shell"])
def test_tokens_end_with_a_new_password_however_it_is_set(how: str) -> None:
    patient, stranger = make_patient(), make_patient("Bob Hill")
    secrets = [
        tokens.make_token(actor=patient, name="script", scope=scope, days=30)[1] for scope in ("act", "read")
    ]
    _, other = tokens.make_token(actor=stranger, name="script", scope="act", days=30)
    user = patient.user
    if how == "change":
        vaults.change_password(user, old=PASSWORD, new=NEW)
    elif how == "reset":
        vaults.reset_password(user, password=NEW, phrase="")
    elif how == "reset-with-phrase":
        phrase = phrase_of(vaults.open_entropy(user, PASSWORD))
        vaults.reset_password(user, password=NEW, phrase=phrase)
    elif how == "set":
        get_adapter().set_password(user, NEW)
    else:
        user.set_password(NEW)
        user.save()
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert [tokens.actor_of(secret) for secret in secrets] == [None, None]
    assert not ApiToken.objects.filter(user=user).exclude(sealed=b"").exists()
    assert tokens.actor_of(other) is not None


def test_a_new_password_that_is_not_saved_ends_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = make_patient()
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=30)

    def fail(*arguments: object) -> int:
        raise RuntimeError(f"no database for {len(arguments)} arguments")

    monkeypatch.setattr(type(ApiToken.objects.all()), "end", fail)
    with pytest.raises(RuntimeError):
        vaults.change_password(patient.user, old=PASSWORD, new=NEW)
    patient.user.refresh_from_db()
    assert patient.user.check_password(PASSWORD)
    assert tokens.actor_of(secret) is not None


def test_signing_in_and_a_costlier_hash_end_no_token() -> None:
    patient = make_patient()
    _, secret = tokens.make_token(actor=patient, name="script", scope="act", days=30)
    patient.user.name = "Ada Hill"
    patient.user.save()
    sign_in(patient.user)
    assert tokens.actor_of(secret) is not None
