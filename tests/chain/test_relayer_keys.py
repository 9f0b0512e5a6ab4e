"""Several relayer keys: shares, order, and what happens where one of them cannot send."""

import secrets
from datetime import timedelta

import pytest
from pytest_django import Settings

from chain import tasks
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import relayer_keys
from chain.models import Act, ActState, Attempt, Sender, Transaction
from chain.models.sending import TransactionState
from chain.operations.transactions import pause_sender, resume_sender
from chain.outbox.lanes import ALL_LANES, lane_of, lanes_of
from chain.relayer.sender import run_relayer
from chain.status.summary import chain_status
from chain.support.shared_clock import SharedNow
from tests.chain.test_outbox import grant
from tests.chain_node import ChainNode, Person, fresh_person, state_of


@pytest.fixture
def two_keys(chain: ChainNode, settings: Settings) -> list[str]:
    """Two keys with money. Return their addresses."""
    fresh = secrets.token_bytes(32)
    settings.CHAIN_RELAYER_KEYS = ["0x" + key.hex() for key in (relayer_keys()[0], fresh)]
    chain.fund(address_of_key(fresh))
    return [address_of_key(key) for key in relayer_keys()]


def person_in(lanes: range) -> Person:
    """Somebody whose acts go through these lanes."""
    while True:
        person = fresh_person()
        if lane_of(person.address) in lanes:
            return person


def someone_for_each(addresses: list[str]) -> list[Person]:
    """By key, somebody whose acts it sends."""
    senders = [Sender.objects.get_or_create(address=address)[0] for address in addresses]
    return [person_in(lanes_of(sender, addresses)) for sender in senders]


def sender_of(act: Act) -> str:
    """The address that sent an act."""
    act.refresh_from_db()
    assert act.transaction is not None
    return act.transaction.sender.address


def test_the_keys_share_the_lanes(two_keys: list[str]) -> None:
    senders = [Sender.objects.get_or_create(address=address)[0] for address in two_keys]
    shares = [lanes_of(sender, two_keys) for sender in senders]
    assert [lane for share in shares for lane in share] == list(ALL_LANES)
    pause_sender(senders[0])
    assert lanes_of(senders[1], two_keys) == ALL_LANES


def test_each_key_sends_its_share(chain: ChainNode, two_keys: list[str]) -> None:
    acts = [chain.new_record(person) for person in someone_for_each(two_keys)]
    chain.settle()
    assert [state_of(act) for act in acts] == [ActState.CONFIRMED] * 2
    assert [sender_of(act) for act in acts] == two_keys


def test_acts_that_build_on_each_other_go_through_one_key(chain: ChainNode, two_keys: list[str]) -> None:
    clinic, doctor = someone_for_each(two_keys)
    patient = person_in(range(lane_of(doctor.address), lane_of(doctor.address) + 1))
    acts = [
        chain.admit(clinic.address),
        chain.affiliate(clinic, doctor.address),
        grant(patient, doctor.address, via=clinic.address, permissions=3),
        chain.new_record(doctor, patient=patient.address, via=clinic.address),
    ]
    assert lane_of(patient.address) != lane_of(clinic.address)
    assert {act.lane for act in acts} == {lane_of(clinic.address)}
    chain.settle()
    assert {sender_of(act) for act in acts} == {two_keys[0]}
    assert {state_of(act) for act in acts} == {ActState.CONFIRMED}


def test_a_key_without_money_leaves_its_share_to_the_others(chain: ChainNode, settings: Settings) -> None:
    poor = secrets.token_bytes(32)
    settings.CHAIN_RELAYER_KEYS = ["0x" + key.hex() for key in (relayer_keys()[0], poor)]
    rich, address = [address_of_key(key) for key in relayer_keys()]
    acts = [chain.new_record(person) for person in someone_for_each([rich, address])]
    chain.settle()
    assert [state_of(act) for act in acts] == [ActState.CONFIRMED] * 2
    assert {sender_of(act) for act in acts} == {rich}
    assert "too little money" in Sender.objects.get(address=address).paused_reason
    assert chain_status().paused_reason == ""  # one sends
    chain.fund(address)
    chain.relay()
    assert Sender.objects.get(address=address).paused_reason == ""


def test_a_key_that_an_operator_paused_leaves_its_share_to_the_others(
    chain: ChainNode, two_keys: list[str]
) -> None:
    people = someone_for_each(two_keys)
    held = Sender.objects.get(address=two_keys[0])
    pause_sender(held)
    acts = [chain.new_record(person) for person in people]
    chain.settle()
    assert {sender_of(act) for act in acts} == {two_keys[1]}
    resume_sender(held)
    again = chain.new_record(people[0])
    chain.settle()
    assert sender_of(again) == two_keys[0]


def test_a_key_that_another_process_holds_does_not_hold_up_the_other(
    chain: ChainNode, two_keys: list[str]
) -> None:
    acts = [chain.new_record(person) for person in someone_for_each(two_keys)]
    later = SharedNow(timedelta(seconds=15))
    Sender.objects.filter(address=two_keys[0]).update(lease_tick=later, lease="another process")
    chain.relay()
    assert [act.transaction is None for act in Act.objects.order_by("created_at")] == [True, False]
    Sender.objects.update(lease_tick=SharedNow())
    chain.settle()
    assert [state_of(act) for act in acts] == [ActState.CONFIRMED] * 2


def test_each_key_has_a_task_of_its_own(
    chain: ChainNode, two_keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = [chain.new_record(person) for person in someone_for_each(two_keys)]
    asked: list[str] = []
    monkeypatch.setattr(tasks.relay, "delay", asked.append)
    tasks.relay()
    assert asked == two_keys[1:]
    assert Attempt.objects.get().transaction.sender.address == two_keys[0]
    tasks.relay(*asked)
    chain.settle()
    assert [sender_of(act) for act in acts] == two_keys


def test_what_a_former_key_sent_is_sent_again_and_settled(
    two_keys: list[str], held_blocks: ChainNode, settings: Settings
) -> None:
    del two_keys
    keys = list(settings.CHAIN_RELAYER_KEYS)
    settings.CHAIN_RELAYER_KEYS = keys[1:]
    act = held_blocks.new_record(fresh_person())
    run_relayer()
    attempt = Attempt.objects.get()
    held_blocks.rpc("anvil_dropTransaction", attempt.hash)
    Attempt.objects.update(sent_at=None)
    settings.CHAIN_RELAYER_KEYS = keys[:1]
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    row = Transaction.objects.get()
    assert row.state == TransactionState.CONFIRMED
    assert row.sender.paused_reason == "The key of this relayer is not set any more."
    assert chain_status().paused_reason == ""
