"""A change while an act is prepared: the act is prepared again, or nothing is taken."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.actor import Actor
from accounts.models import Errand
from chain.acts.messages import PreparedAct, SignedAct
from chain.models import Act
from records.errors import AccessRefused, Conflict
from records.models import Envelope, Holding, QueuedKey
from records.services import documents, folders, inbox, revocations, writing
from records.services.epochs import current_epoch
from records.services.holders import REKEY, has_leaver
from records.services.rekeying import needs_rekey, rekey_folder
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import LABORATORY, Clinic, grant, reopened, run_errands, upload
from tests.records.test_errands import SCOPE, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def friend(chain: ChainNode, patient: Actor) -> Actor:
    """Somebody who may read folder 1."""
    person = make_patient("Fred Hart")
    chain.settle()
    grant(patient, person.address, "")
    chain.settle()
    return person


def interrupt(monkeypatch: pytest.MonkeyPatch, kind: str, faster: Callable[[], object]) -> None:
    """Let `faster` be done once, when the next act of a kind is prepared and about to be accepted."""
    real, once = Actor.sign, [faster]

    def sign(self: Actor, act: PreparedAct) -> SignedAct:
        if once and act.kind == kind:
            once.pop()()
        return real(self, act)

    monkeypatch.setattr(Actor, "sign", sign)


def interrupt_upload(monkeypatch: pytest.MonkeyPatch, faster: Callable[[], object]) -> None:
    """Let `faster` be done once, when the act that ends an upload is prepared. No transaction is open."""
    real, once = writing.queue_keys, [faster]

    def queue_keys(*args: Any) -> list[QueuedKey]:
        if once:
            once.pop()()
        return real(*args)

    monkeypatch.setattr(writing, "queue_keys", queue_keys)


def revoke(patient: Actor, grantee: str, via: str = "", scope: str = SCOPE) -> None:
    """Stop sharing, as another request."""
    revocations.revoke_access(actor=reopened(patient), grantee=grantee, via=via, scope=scope)


def all_confirmed(chain: ChainNode) -> bool:
    """Return whether the chain takes every accepted act."""
    chain.settle()
    return not Act.objects.exclude(state="confirmed").exists()


def test_an_upload_goes_to_where_its_folder_has_moved(
    chain: ChainNode, patient: Actor, friend: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_upload(monkeypatch, lambda: revoke(patient, friend.address))
    record = upload(patient).record
    assert Act.objects.of_kind("NewRecord").get().fields["epoch"] == current_epoch(patient.address, 1) > 0
    assert all_confirmed(chain)
    assert read(patient, record)


@pytest.mark.parametrize("deed", ["edit", "move", "replace"])
def test_a_version_goes_to_where_its_folder_has_moved(
    deed: str, chain: ChainNode, patient: Actor, friend: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = upload(patient, folder=1).record
    chain.settle()
    deeds: dict[str, Callable[[], object]] = {
        "edit": lambda: edit(patient, record),
        "replace": lambda: upload(patient, replaces=record, title="Mended"),
        "move": lambda: documents.move_record(actor=patient, record=record, folder=2),
    }
    if deed == "move":
        folders.create_folder(actor=patient, name="Heart")
        grant(patient, friend.address, "", folders=(2,))
        chain.settle()
        interrupt(monkeypatch, "ModifyRecord", lambda: revoke(patient, friend.address, scope=f"0x{2:064x}"))
    else:
        interrupt_upload(monkeypatch, lambda: revoke(patient, friend.address))
    deeds[deed]()
    assert Act.objects.of_kind("RekeyFolder").count() == 1
    assert all_confirmed(chain)
    assert read(patient, record)


def test_a_version_has_a_new_key_when_the_record_is_taken_from_somebody_meanwhile(
    chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, record = make_patient("Fred Hart"), upload(patient).record
    chain.settle()
    grant(patient, person.address, "", folders=(), records=(record,))
    chain.settle()
    interrupt(monkeypatch, "ModifyRecord", lambda: revoke(patient, person.address, scope=record))
    edit(patient, record)
    first, second = Act.objects.get(kind="NewRecord"), Act.objects.get(kind="ModifyRecord")
    assert first.fields["secret"] != second.fields["secret"]
    assert all_confirmed(chain)


def test_a_doctor_who_may_not_write_any_more_is_told_and_nothing_is_kept(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    held = Holding.objects.filter(state="kept").count()
    interrupt_upload(monkeypatch, lambda: revoke(patient, clinic.doctor.address, clinic.via))
    with pytest.raises(AccessRefused):
        upload(clinic.doctor, patient=patient.address, folder=1, via=clinic.via)
    assert not Act.objects.of_kind("NewRecord").exists()
    assert Holding.objects.filter(state="kept").count() == held
    assert all_confirmed(chain)


def test_a_sender_who_is_blocked_meanwhile_is_told(
    chain: ChainNode, patient: Actor, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = lambda: inbox.block_sender(actor=reopened(patient), sender=clinic.doctor.address)  # noqa: E731
    interrupt_upload(monkeypatch, block)
    with pytest.raises(AccessRefused):
        upload(clinic.doctor, patient=patient.address, via=clinic.via)
    assert all_confirmed(chain)


def test_a_record_that_is_closed_meanwhile_takes_no_version(
    chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = upload(patient).record
    chain.settle()
    interrupt(
        monkeypatch, "ModifyRecord", lambda: documents.close_record(actor=reopened(patient), record=record)
    )
    with pytest.raises(Conflict, match="closed"):
        edit(patient, record)
    assert all_confirmed(chain)


def test_a_grant_of_a_folder_that_moves_meanwhile_is_asked_again(
    chain: ChainNode, patient: Actor, friend: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = make_patient("Gina Holt")
    chain.settle()
    interrupt(monkeypatch, "GrantAccess", lambda: revoke(patient, friend.address))
    with pytest.raises(Conflict, match="Sharing of this folder was changed"):
        grant(patient, guest.address, "")
    assert not Envelope.objects.filter(recipient=guest.address).exists()
    grant(patient, guest.address, "")
    assert all_confirmed(chain)


def test_a_folder_that_moves_is_not_sealed_to_who_loses_it_meanwhile(
    chain: ChainNode, patient: Actor, friend: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = make_patient("Gina Holt")
    chain.settle()
    grant(patient, guest.address, "")
    chain.settle()
    interrupt(monkeypatch, "RekeyFolder", lambda: revoke(patient, guest.address))
    revoke(patient, friend.address)
    assert not has_leaver(patient.address, 1)
    assert not needs_rekey(patient.address, 1)
    assert not Errand.objects.filter(kind=REKEY, state="open").exists()
    assert all_confirmed(chain)
    assert Act.objects.of_kind("RekeyFolder").count() == 1


def test_a_folder_that_moves_takes_along_who_gets_it_meanwhile(
    chain: ChainNode, patient: Actor, friend: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = make_patient("Gina Holt")
    chain.settle()
    record = upload(patient).record
    interrupt(monkeypatch, "RekeyFolder", lambda: grant(reopened(patient), guest.address, ""))
    revoke(patient, friend.address)
    later = upload(patient).record
    assert all_confirmed(chain)
    for one in (record, later):
        assert read(guest, one)


def test_a_key_task_stays_while_the_folder_still_has_to_move(
    chain: ChainNode, patient: Actor, friend: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two moves at once: the second finds nothing left to do, and what is left to do is not forgotten."""
    interrupt(monkeypatch, "RekeyFolder", lambda: rekey_folder(reopened(patient), 1))
    revoke(patient, friend.address)
    assert Act.objects.of_kind("RekeyFolder").count() == 1
    assert run_errands(patient) == 0
    assert all_confirmed(chain)


def edit(patient: Actor, record: str) -> None:
    """Another title."""
    documents.modify_description(
        actor=patient, record=record, title="Mended", kind=LABORATORY, service_date=None
    )
