"""Accepting acts: signatures, reservations, order."""

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from chain.acts.messages import ZERO_ADDRESS, sign_act
from chain.contract.slots import folder_scope, slot_epoch, slot_grant, slot_record
from chain.errors import ActConflict, ActError
from chain.models import Act, ActState
from chain.outbox.submit import next_number, submit_act, wake_relayer
from chain.support.wakeup import Wakeup
from tests.chain_node import ChainNode, Person, fresh_person, state_of

pytestmark = pytest.mark.usefixtures("chain")


def grant(patient: Person, grantee: str, serial: int = 1, **fields: object) -> Act:
    """A grant of folder 1."""
    values = {
        "grantee": grantee,
        "via": ZERO_ADDRESS,
        "scope": folder_scope(1),
        "permissions": 1,
        "notBefore": 0,
        "expiry": 2_000_000_000,
        "epoch": 0,
        "envelopes": bytes(32),
        "request": bytes(32),
        "serial": serial,
    }
    return patient.submit("GrantAccess", **(values | fields))


def revoke(patient: Person, grantee: str, serial: int) -> Act:
    """A revoke of folder 1."""
    scope = folder_scope(1)
    return patient.submit("RevokeAccess", grantee=grantee, via=ZERO_ADDRESS, scope=scope, serial=serial)


def test_the_same_act_again_gives_the_first_row() -> None:
    person = fresh_person()
    signed = sign_act(person.prepare("NameFolder", folder=1, name=bytes(32), serial=1), person.key)
    assert submit_act(signed).pk == submit_act(signed).pk
    assert Act.objects.by(person.address).count() == 1


@pytest.mark.parametrize("state", [ActState.FAILED, ActState.RETURNED])
def test_an_act_that_was_refused_waits_again_when_it_is_signed_again(state: ActState) -> None:
    person = fresh_person()
    signed = sign_act(person.prepare("NameFolder", folder=1, name=bytes(32), serial=1), person.key)
    Act.objects.filter(pk=submit_act(signed).pk).update(state=state, error="refused", refused_block=7)
    again = submit_act(signed)
    assert (state_of(again), again.error, again.refused_block) == (ActState.WAITING, "", None)
    assert Act.objects.by(person.address).count() == 1


def test_a_refused_act_whose_place_was_taken_stays_refused() -> None:
    person = fresh_person()
    signed = sign_act(person.prepare("NameFolder", folder=1, name=bytes(32), serial=1), person.key)
    first = submit_act(signed)
    Act.objects.filter(pk=first.pk).update(state=ActState.RETURNED)
    person.submit("NameFolder", folder=1, name=b"\x01" * 32, serial=1)
    with pytest.raises(ActConflict):
        submit_act(signed)
    assert state_of(first) == ActState.RETURNED


def test_somebody_else_s_signature_is_refused() -> None:
    person, thief = fresh_person(), fresh_person()
    act = person.prepare("NameFolder", folder=1, name=bytes(32), serial=1)
    with pytest.raises(ActError, match="not by the account's signer"):
        submit_act(sign_act(act, thief.key))
    assert not Act.objects.by(person.address).exists()


def test_a_second_writer_gets_a_conflict_and_nothing_is_taken(chain: ChainNode) -> None:
    person = fresh_person()
    person.submit("NameFolder", folder=1, name=bytes(32), serial=1)
    with pytest.raises(ActConflict):
        person.submit("NameFolder", folder=1, name=b"\x01" * 32, serial=1)
    assert Act.objects.by(person.address).count() == 1
    chain.settle()
    with pytest.raises(ActConflict):
        person.submit("NameFolder", folder=1, name=b"\x01" * 32, serial=1)


def test_an_older_serial_is_a_conflict_too(chain: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    revoke(patient, doctor.address, 5)
    with pytest.raises(ActConflict):
        grant(patient, doctor.address, 4)
    chain.settle()
    with pytest.raises(ActConflict):
        grant(patient, doctor.address, 4)
    assert grant(patient, doctor.address, 6).state == ActState.WAITING


def test_the_database_itself_holds_a_number_once() -> None:
    person = fresh_person()
    first = person.submit("NameFolder", folder=1, name=bytes(32), serial=1)
    twin = {
        f: getattr(first, f) for f in ("kind", "author", "subject", "fields", "signature", "slot", "number")
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        Act.objects.create(**twin, digest="0x" + "11" * 32)
    Act.objects.create(**twin, digest="0x" + "11" * 32, state=ActState.RETURNED)


def test_a_returned_act_frees_its_number() -> None:
    person = fresh_person()
    person.submit("NameFolder", folder=1, name=bytes(32), serial=1)
    Act.objects.by(person.address).update(state=ActState.RETURNED)
    assert person.submit("NameFolder", folder=1, name=b"\x01" * 32, serial=1).state == ActState.WAITING


def test_versions_follow_each_other_and_serials_stay_near() -> None:
    patient = fresh_person()
    with pytest.raises(ActConflict, match="too far"):
        patient.submit("NameFolder", folder=1, name=bytes(32), serial=1025)
    record = "0x" + "77" * 32
    with pytest.raises(ActConflict, match="next version would be 1"):
        patient.submit(
            "ModifyRecord",
            patient=patient.address,
            via=ZERO_ADDRESS,
            record=record,
            folder=1,
            epoch=0,
            version=2,
            flags=0,
            content=bytes(32),
            description=bytes(32),
            secret=bytes(40),
        )


def test_the_next_number_counts_what_waits_and_what_the_chain_has(chain: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    slot = slot_grant(patient.address, doctor.address, ZERO_ADDRESS, folder_scope(1))
    assert next_number(slot) == 1
    grant(patient, doctor.address)
    assert next_number(slot) == 2
    chain.settle()
    Act.objects.about(patient.address).delete()  # as if it had been sent from a wallet
    assert next_number(slot) == 2


def test_a_grant_waits_for_its_request_and_a_revoke_for_nothing(chain: ChainNode) -> None:
    clinic, doctor, patient = fresh_person(), fresh_person(), fresh_person()
    admitted = chain.admit(clinic.address)
    affiliated = chain.affiliate(clinic, doctor.address)
    asked = doctor.submit(
        "RequestAccess", patient=patient.address, via=clinic.address, nonce=b"\x05" * 32, envelopes=bytes(32)
    )
    granted = grant(patient, doctor.address, via=clinic.address, request=asked.slot.removeprefix("request:"))
    assert list(affiliated.needs.all()) == [admitted]
    assert set(asked.needs.all()) == {admitted, affiliated}
    assert set(granted.needs.all()) == {admitted, affiliated, asked}
    plain = grant(patient, doctor.address)
    assert not revoke(patient, doctor.address, 2).needs.exists()
    assert list(grant(patient, doctor.address, 3).needs.order_by("number")) == [
        plain,
        Act.objects.get(kind="RevokeAccess", author=patient.address),
    ]


def test_records_wait_for_the_move_of_their_folder_and_the_move_for_those_before(chain: ChainNode) -> None:
    patient = fresh_person()
    before = [chain.new_record(patient), grant(patient, fresh_person().address)]
    moved = patient.submit("RekeyFolder", folder=1, fromEpoch=0, toEpoch=3, envelopes=bytes(32))
    after = chain.new_record(patient, epoch=3)
    elsewhere = chain.new_record(patient, folder=2)
    assert set(moved.needs.all()) == set(before)
    assert list(after.needs.all()) == [moved]
    assert not elsewhere.needs.exists()
    assert next_number(slot_epoch(patient.address, 1)) == 4
    assert next_number(slot_record(before[0].slot.removeprefix("record:"))) == 2


def test_new_keys_wait_for_what_the_old_signer_signed_and_for_records_of_the_old_generation(
    chain: ChainNode,
) -> None:
    patient, other, signer = fresh_person(), fresh_person(), fresh_person()
    chain.new_record(other)
    before = [
        grant(patient, other.address, permissions=3),
        chain.new_record(other, patient=patient.address),
        patient.submit("BlockSender", sender=fresh_person().address, blocked=True, serial=1),
    ]
    replaced = patient.submit(
        "ReplaceKeys", generation=1, signer=signer.address, key=bytes(1217), envelopes=bytes(32)
    )
    assert set(replaced.needs.all()) == set(before)
    chain.settle()
    assert {state_of(act) for act in (*before, replaced)} == {ActState.CONFIRMED}


def test_a_broker_that_is_down_undoes_nothing(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(task: str, **options: object) -> None:
        del task, options
        raise ConnectionError("no broker")

    monkeypatch.setattr("celery.current_app.send_task", broken)
    monkeypatch.setattr("chain.outbox.submit._RELAYER", Wakeup("chain.tasks.relay"))
    person = fresh_person()
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        person.submit("NameFolder", folder=1, name=bytes(32), serial=1)
        person.submit("NameFolder", folder=2, name=bytes(32), serial=1)
    assert callbacks.count(wake_relayer) == 1
    assert Act.objects.by(person.address).count() == 2
