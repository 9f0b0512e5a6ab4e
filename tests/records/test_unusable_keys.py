"""A published sharing key that is none: everybody else gets what they should, and it is named."""

import secrets
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import directory
from accounts.actor import Actor
from accounts.crypto.keys import SharingKey, signing_key
from accounts.crypto.sealing import is_usable_key
from accounts.models import Errand, Membership, SealedKey
from accounts.services import affiliations, errands, institution_keys
from chain.acts.messages import prepare_act, sign_act
from chain.models import Act, Event
from chain.outbox.submit import submit_act
from records.models import Envelope, Grant
from records.services import consent, requests, revocations
from records.services.epochs import current_epoch
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode
from tests.people import join, make_doctor
from tests.records import foreign
from tests.records.conftest import FILE, Clinic, grant, make_clinic, reopened, run_errands, upload
from tests.records.test_api import Api
from tests.records.test_sharing import read

pytestmark = pytest.mark.django_db

GOOD = SharingKey(secrets.token_bytes(32)).public
BAD_KEYS = {
    "no ML-KEM key": b"\x01" + b"\xff" * 1216,
    "X25519 of low order": GOOD[:1185] + bytes(32),
    "unknown suite": b"\x02" + GOOD[1:],
}
SCOPE = f"0x{1:064x}"
every_bad_key = pytest.mark.parametrize("bad", BAD_KEYS.values(), ids=BAD_KEYS.keys())
NAMED = "data-unusable-key"


def publish(chain: ChainNode, actor: Actor, key: bytes, version: int = 2) -> None:
    """Publish a key past the portal."""
    foreign.send(actor, "PublishKey", version=version, key="0x" + key.hex())
    chain.settle()
    assert Event.objects.filter(name="KeyPublished", author=actor.address, number=version).exists()


def add_doctor(chain: ChainNode, clinic: Clinic, name: str) -> Actor:
    doctor = make_doctor(clinic.institution, name)
    chain.settle()
    affiliations.affiliate_doctor(actor=clinic.manager, institution=clinic.institution, doctor=doctor.address)
    chain.settle()
    run_errands(clinic.manager)
    return reopened(doctor)


def is_named(actor: Actor, path: str) -> bool:
    """Return whether a page says that a key cannot be used."""
    answer = sign_in(actor.user).get(path)
    assert answer.status_code == 200
    return NAMED in answer.content.decode()


def open_errands(actor: Actor) -> list[str]:
    return list(Errand.objects.filter(account=actor.address, state="open").values_list("kind", flat=True))


@every_bad_key
def test_a_revoke_moves_the_folder_for_all_but_the_unusable_one(
    chain: ChainNode, patient: Actor, clinic: Clinic, bad: bytes
) -> None:
    helen, other = add_doctor(chain, clinic, "Helen Park"), make_clinic(chain, "Jade Practice", "Omar Finch")
    before = upload(patient).record
    for doctor in (clinic.doctor, helen):
        grant(patient, doctor.address, clinic.via)
    grant(patient, other.doctor.address, other.via)
    chain.settle()
    publish(chain, helen, bad)
    answer = Api(patient).post("grants/revoke", grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
    assert answer.status_code == 202, answer.content
    assert current_epoch(patient.address, 1) == 1
    assert open_errands(patient) == []
    after = upload(patient, title="After").record
    chain.settle()
    run_errands(patient)
    assert read(other.doctor, after) == FILE
    assert read(helen, before) == FILE
    assert not Envelope.objects.filter(list__epoch=1, recipient=helen.address).exists()
    assert Act.objects.of_kind("RekeyFolder").count() == 1
    unusable = {view.grantee for view in consent.grants_by(actor=patient) if view.has_unusable_key}
    assert unusable == {helen.address}
    named = [one["grantee"] for one in Api(patient).get("grants").json() if one["has_unusable_key"]]
    assert named == [helen.address]
    assert is_named(patient, "/sharing/")


@every_bad_key
def test_a_manager_ends_an_affiliation_and_the_key_moves_on(
    chain: ChainNode, clinic: Clinic, bad: bytes
) -> None:
    helen, leaves = add_doctor(chain, clinic, "Helen Park"), add_doctor(chain, clinic, "Lee North")
    publish(chain, helen, bad)
    page = f"/institutions/{clinic.institution.pk}/"
    answer = sign_in(clinic.manager.user).post(f"{page}affiliate/", {"doctor": leaves.address, "end": "1"})
    assert answer.status_code == 302
    chain.settle()
    assert institution_keys.institution_account(clinic.institution).key_version == 2
    seeds = SealedKey.objects.filter(kind=SealedKey.Kind.SEED, version=2)
    assert {row.recipient for row in seeds} == {clinic.doctor.address}
    run_errands(clinic.manager)
    assert open_errands(clinic.manager) == []
    assert is_named(clinic.manager, page)

    publish(chain, helen, helen.own_public_key.key, version=3)
    assert open_errands(clinic.manager) == ["seal-seeds"]
    run_errands(clinic.manager)
    assert {row.recipient for row in seeds.all()} == {clinic.doctor.address, helen.address}
    assert not is_named(clinic.manager, page)


def test_a_manager_whose_key_is_none_is_no_task_for_ever(chain: ChainNode, clinic: Clinic) -> None:
    second = join(clinic.institution, "Nia Cole", role=Membership.Role.MANAGER)
    chain.settle()
    publish(chain, second, BAD_KEYS["no ML-KEM key"])
    run_errands(clinic.manager)
    assert open_errands(clinic.manager) == []
    assert is_named(clinic.manager, f"/institutions/{clinic.institution.pk}/")
    publish(chain, second, second.own_public_key.key, version=3)
    run_errands(clinic.manager)
    assert SealedKey.objects.filter(kind=SealedKey.Kind.ENTROPY, recipient=second.address).exists()


def test_a_record_s_next_key_goes_to_all_but_the_unusable_one(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    helen, other = add_doctor(chain, clinic, "Helen Park"), make_clinic(chain, "Jade Practice", "Omar Finch")
    record = upload(patient).record
    chain.settle()
    for who, via in ((helen, clinic.via), (clinic.doctor, clinic.via), (other.doctor, other.via)):
        grant(patient, who.address, via, folders=(), records=(record,))
    chain.settle()
    publish(chain, helen, BAD_KEYS["X25519 of low order"])
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=record)
    upload(patient, replaces=record, data=b"second")
    chain.settle()
    run_errands(patient)
    assert open_errands(patient) == []
    chain.settle()
    assert read(other.doctor, record) == b"second"
    assert Grant.objects.get(grantee=helen.address).serial == 1

    publish(chain, helen, helen.own_public_key.key, version=3)
    run_errands(patient)
    chain.settle()
    assert read(reopened(helen), record) == b"second"
    assert open_errands(patient) == []


def test_an_institution_that_publishes_no_key_is_left_out_of_the_next_epoch(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    upload(patient)
    grant(patient, clinic.via, clinic.via)
    grant(patient, other.doctor.address, other.via)
    chain.settle()
    entropy = institution_keys.open_entropy(clinic.manager, clinic.institution)
    publish_for(chain, clinic, entropy, BAD_KEYS["no ML-KEM key"])
    assert open_errands(patient) == ["rekey-folder"]
    run_errands(patient)
    chain.settle()
    assert current_epoch(patient.address, 1) == 1
    assert open_errands(patient) == []
    later = upload(patient, title="Later").record
    chain.settle()
    assert read(other.doctor, later) == FILE
    run_errands(patient)
    assert Act.objects.of_kind("RekeyFolder").count() == 1


@every_bad_key
def test_granting_to_it_is_refused_in_words(
    chain: ChainNode, patient: Actor, clinic: Clinic, bad: bytes
) -> None:
    upload(patient)
    chain.settle()
    publish(chain, clinic.doctor, bad)
    until = (timezone.now() + timedelta(days=30)).isoformat()
    answer = Api(patient).post(
        "grants", grantee=clinic.doctor.address, via=clinic.via, folders=[1], expires_at=until
    )
    assert answer.status_code == 400, answer.content
    assert "cannot be used" in answer.content.decode()
    page = sign_in(patient.user).get(f"/sharing/new/?grantee={clinic.doctor.address}")
    assert page.status_code < 500
    assert "cannot be used" in page.content.decode()
    assert not Act.objects.of_kind("GrantAccess").exists()
    assert not directory.has_published_key(clinic.doctor.address)
    assert clinic.doctor.address not in directory.newest_digests([clinic.doctor.address])


def test_its_request_can_be_refused_with_a_reason(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    asked = ask(clinic, patient)
    chain.settle()
    publish(chain, clinic.doctor, BAD_KEYS["no ML-KEM key"])
    requests.deny_request(actor=patient, request=asked, reason="Not now.")
    chain.settle()
    assert consent.get_request(actor=patient, request=asked).reason == "Not now."
    view = consent.get_request(actor=clinic.doctor, request=asked)
    assert (view.state, view.reason) == ("denied", "")


def test_who_asks_may_have_published_anything(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    publish(chain, clinic.doctor, BAD_KEYS["no ML-KEM key"])
    asked = ask(clinic, patient)
    chain.settle()
    (view,) = consent.requests_for(actor=patient)
    assert (view.id, view.terms is not None) == (asked, True)


@every_bad_key
def test_a_patient_whose_key_is_none(chain: ChainNode, patient: Actor, clinic: Clinic, bad: bytes) -> None:
    """A doctor with a grant goes on; what would have to be sealed to the patient is refused in words."""
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    publish(chain, patient, bad)
    doctor = Api(clinic.doctor)
    assert is_named(patient, "/profile/")
    sent = doctor.send(patient=patient.address, via=clinic.via, folder=1)
    chain.settle()
    assert read(patient, sent) == FILE
    inbox = {"title": "Letter", "kind": "11502-2", "file_name": "report.pdf", "size": 5}
    asked = {"purpose": "TREAT", "kinds": [], "permissions": "read", "days": 30}
    for path, body in (("uploads", inbox), ("requests", asked)):
        answer = doctor.post(path, patient=patient.address, via=clinic.via, **body)
        assert 400 <= answer.status_code < 500, answer.content
    own = upload(patient, title="Own").record
    chain.settle()
    assert read(reopened(clinic.doctor), own) == FILE


def test_what_is_usable(patient: Actor) -> None:
    assert is_usable_key(patient.own_public_key.key)
    assert not any(is_usable_key(key) for key in BAD_KEYS.values())
    assert directory.unusable_keys([patient.address]) == set()
    assert errands.waiting_for(patient.address) == 0


def ask(clinic: Clinic, patient: Actor) -> str:
    """A request of the clinic's doctor; its id."""
    return requests.request_access(
        actor=clinic.doctor,
        patient=patient.address,
        via=clinic.via,
        purpose="TREAT",
        kinds=[],
        permissions="read",
        days=30,
    ).id


def publish_for(chain: ChainNode, clinic: Clinic, entropy: bytes, key: bytes) -> None:
    """Publish a key for an institution, past the portal."""
    act = prepare_act("PublishKey", author=clinic.via, version=2, key="0x" + key.hex())
    submit_act(sign_act(act, signing_key(entropy, institution_keys.INDEX)))
    chain.settle()
