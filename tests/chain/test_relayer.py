"""Sending: batches, refusals, crashes, pauses."""

import secrets
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from chain import client
from chain.acts import ZERO_ADDRESS, SignedAct, sign_act
from chain.deploying import send_and_wait
from chain.deployment import deployment
from chain.errors import ChainUnavailable, RpcRefused
from chain.handlers import _act_handlers, on_act_settled
from chain.keys import relayer_keys
from chain.models import Act, ActState, Attempt, Event, Sender, Transaction
from chain.models.sending import AttemptState, TransactionState
from chain.outbox import submit_act
from chain.relayer import sender as sending
from chain.relayer.batches import next_batch
from chain.relayer.fees import Fees, market_fees, replacement_fees
from chain.relayer.lease import LeaseLost, hold
from chain.signer import address_of_key
from chain.slots import folder_scope
from chain.status import chain_status
from tests.chain.test_outbox import grant, revoke
from tests.chain_node import FUNDER, ChainNode, fresh_person


@pytest.fixture(autouse=True)
def impatient(settings: Settings) -> None:
    """No waiting for company."""
    settings.CHAIN_BATCH_WAIT = 0


@pytest.fixture
def held_blocks(chain: ChainNode) -> Iterator[ChainNode]:
    """Blocks come only when the test mines them."""
    chain.rpc("evm_setAutomine", False)
    yield chain
    chain.mine()
    chain.rpc("evm_setAutomine", True)


def state_of(act: Act) -> str:
    """An act's state now."""
    act.refresh_from_db()
    return act.state


def test_several_acts_go_in_one_transaction_and_are_confirmed_at_depth(chain: ChainNode) -> None:
    acts = [chain.new_record(fresh_person()) for _ in range(5)]
    chain.relay()
    assert Transaction.objects.count() == 1
    chain.sync()
    assert [state_of(act) for act in acts] == [ActState.WAITING] * 5
    assert all(act.event is not None for act in acts)
    chain.mine()
    chain.sync()
    assert [state_of(act) for act in acts] == [ActState.CONFIRMED] * 5
    chain.relay()
    row = Transaction.objects.get()
    assert (row.state, row.act_count, row.succeeded) == (TransactionState.CONFIRMED, 5, True)


def test_a_chain_of_acts_that_build_on_each_other_goes_through(chain: ChainNode) -> None:
    clinic, doctor, patient = fresh_person(), fresh_person(), fresh_person()
    chain.admit(clinic.address)
    chain.affiliate(clinic, doctor.address)
    grant(patient, doctor.address, via=clinic.address, permissions=3)
    written = chain.new_record(doctor, patient=patient.address, via=clinic.address)
    chain.settle()
    assert state_of(written) == ActState.CONFIRMED
    assert Transaction.objects.count() == 1
    assert client.can_write(patient.address, doctor.address, clinic.address, folder_scope(1))
    assert not client.can_read(patient.address, doctor.address, ZERO_ADDRESS, folder_scope(1))


def test_an_act_does_not_go_while_what_it_builds_on_is_under_way(held_blocks: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    first = grant(patient, doctor.address)
    held_blocks.relay()
    second, free = grant(patient, doctor.address, 2), grant(patient, fresh_person().address)
    assert [act.pk for act in next_batch()[0].acts] == [free.pk]
    held_blocks.mine()
    held_blocks.sync()
    assert {act.pk for act in next_batch()[0].acts} == {second.pk, free.pk}
    assert state_of(first) == ActState.WAITING


def test_an_act_does_not_go_before_one_that_is_put_off(chain: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    first, second = grant(patient, doctor.address), grant(patient, doctor.address, 2)
    Act.objects.filter(pk=first.pk).update(retry_at=timezone.now() + timedelta(hours=1))
    chain.relay()
    assert Transaction.objects.count() == 0
    chain.settle()
    assert state_of(first) == state_of(second) == ActState.CONFIRMED


def test_a_refused_act_fails_in_plain_words_and_holds_nobody_up(chain: ChainNode) -> None:
    bad = chain.new_record(fresh_person(), secret=bytes(39))
    good = chain.new_record(fresh_person())
    told: list[tuple[object, str]] = []
    handler = on_act_settled("NewRecord")(lambda act: told.append((act.pk, act.state)))
    try:
        chain.settle()
    finally:
        _act_handlers["NewRecord"].remove(handler)
    assert state_of(good) == ActState.CONFIRMED
    assert state_of(bad) == ActState.FAILED
    assert (bad.error_code, bad.error) == ("BadSecret", "The wrapped secret has the wrong length.")
    assert bad.transaction is None
    assert sorted(told, key=str) == sorted([(bad.pk, "failed"), (good.pk, "confirmed")], key=str)


def test_a_refused_act_is_not_given_up_before_all_is_known(chain: ChainNode) -> None:
    bad = chain.new_record(fresh_person(), secret=bytes(39))
    chain.mine()
    chain.relay()
    Act.objects.filter(pk=bad.pk).update(retry_at=None)
    chain.relay()
    assert state_of(bad) == ActState.WAITING  # the indexer has not read up to the refusal
    chain.mine()
    chain.sync()
    Act.objects.filter(pk=bad.pk).update(retry_at=None)
    chain.relay()
    assert state_of(bad) == ActState.FAILED


def test_an_act_that_lost_a_race_comes_back_to_its_author(chain: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    late = grant(patient, doctor.address, 1)
    Act.objects.filter(pk=late.pk).update(retry_at=timezone.now() + timedelta(hours=1))
    overtaking = revoke(patient, doctor.address, 2)
    chain.settle()
    assert state_of(overtaking) == ActState.CONFIRMED
    Act.objects.filter(pk=late.pk).update(retry_at=None)
    chain.settle()
    assert state_of(late) == ActState.RETURNED
    assert late.error_code == "SerialNotNext"
    assert not client.can_read(patient.address, doctor.address, ZERO_ADDRESS, folder_scope(1))


def test_an_act_refused_in_its_transaction_is_judged_again(held_blocks: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    late, other = grant(patient, doctor.address, 1), held_blocks.new_record(fresh_person())
    held_blocks.relay()
    overtaking = revoke(patient, doctor.address, 2)
    call = {
        "from": held_blocks.rpc("eth_accounts")[0],
        "to": deployment().address,
        "data": "0x" + overtaking.calldata.hex(),
        "gas": hex(300_000),
        "maxFeePerGas": hex(10**11),
        "maxPriorityFeePerGas": hex(5 * 10**10),  # goes first in the block
    }
    held_blocks.rpc("eth_sendTransaction", call)
    held_blocks.settle()
    assert state_of(overtaking) == state_of(other) == ActState.CONFIRMED
    assert state_of(late) == ActState.RETURNED
    assert (late.tries, late.transaction) == (1, None)
    assert not client.can_read(patient.address, doctor.address, ZERO_ADDRESS, folder_scope(1))


def test_a_node_s_own_trouble_is_no_refusal(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    act = chain.new_record(fresh_person())

    def troubled(*args: object, **options: object) -> bytes:
        del args, options
        raise RpcRefused("header not found")

    with monkeypatch.context() as trouble:
        trouble.setattr(client, "call", troubled)
        for _ in range(3):
            chain.relay()
            chain.mine()
            chain.sync()
    assert state_of(act) == ActState.WAITING
    assert "header not found" in chain_status().paused_reason
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_an_act_is_not_confirmed_by_an_event_that_differs(chain: ChainNode) -> None:
    person = fresh_person()
    ours = person.submit("NameFolder", folder=1, name=bytes(32), serial=1)
    other = sign_act(person.prepare("NameFolder", folder=1, name=b"\x01" * 32, serial=1), person.key)
    call = {
        "from": chain.rpc("eth_accounts")[0],
        "to": deployment().address,
        "data": "0x" + other.act.calldata(other.signature).hex(),
        "gas": hex(300_000),
    }
    chain.rpc("eth_sendTransaction", call)
    chain.settle()
    assert state_of(ours) == ActState.RETURNED
    assert ours.error_code == "SerialNotNext"


def test_an_act_sent_by_somebody_else_is_confirmed_by_its_event(chain: ChainNode) -> None:
    act = chain.new_record(fresh_person())
    funder = chain.rpc("eth_accounts")[0]
    contract = deployment().address
    chain.rpc(
        "eth_sendTransaction",
        {"from": funder, "to": contract, "data": "0x" + act.calldata.hex(), "gas": hex(300_000)},
    )
    chain.sync()
    chain.relay()
    assert Transaction.objects.count() == 0
    chain.mine()
    chain.sync()
    assert state_of(act) == ActState.CONFIRMED


def die(*args: object) -> None:
    """What kill -9 does to a process."""
    del args
    raise KeyboardInterrupt


@pytest.mark.parametrize("applied", [True, False])
def test_an_act_on_the_chain_before_its_row_is_no_failure(chain: ChainNode, applied: bool) -> None:
    act = chain.new_record(fresh_person())
    chain.settle()
    # As when the indexer read the event while the transaction that accepts the act was still open.
    Act.objects.update(state=ActState.WAITING, event=None, transaction=None)
    Event.objects.update(applied=applied)
    for _ in range(2):
        chain.relay()
        Act.objects.update(retry_at=None)
    act.refresh_from_db()
    assert act.state == (ActState.CONFIRMED if applied else ActState.WAITING)
    assert act.event is not None


def test_after_a_crash_before_the_broadcast_the_same_bytes_go(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = chain.new_record(fresh_person())
    with monkeypatch.context() as crash:
        crash.setattr(sending, "broadcast", die)
        with pytest.raises(KeyboardInterrupt):
            chain.relay()
    saved = Attempt.objects.get()
    assert saved.sent_at is None
    chain.settle()
    assert Attempt.objects.get().hash == saved.hash
    assert state_of(act) == ActState.CONFIRMED
    assert client.receipt(saved.hash) is not None


def test_after_a_crash_after_the_broadcast_nothing_happens_twice(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = chain.new_record(fresh_person())
    real = client.send_raw

    def send_and_die(raw: bytes) -> str:
        real(raw)
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(client, "send_raw", send_and_die)
        with pytest.raises(KeyboardInterrupt):
            chain.relay()
    chain.settle()
    assert Transaction.objects.count() == 1
    assert state_of(act) == ActState.CONFIRMED


def test_bytes_the_node_knows_already_are_as_good_as_sent(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    Attempt.objects.update(sent_at=None)
    held_blocks.relay()
    assert Attempt.objects.get().sent_at is not None
    assert chain_status().paused_reason == ""
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_a_dropped_transaction_is_sent_again(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    held_blocks.rpc("anvil_dropTransaction", Attempt.objects.get().hash)
    Attempt.objects.update(sent_at=timezone.now() - timedelta(seconds=60))
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert Attempt.objects.count() == 1


def test_a_stuck_transaction_is_replaced_at_higher_fees(held_blocks: ChainNode, settings: Settings) -> None:
    settings.CHAIN_STUCK_BLOCKS = 1
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    old = Attempt.objects.get()
    held_blocks.rpc("anvil_dropTransaction", old.hash)
    held_blocks.mine()
    held_blocks.relay()
    new = Attempt.objects.get(state=AttemptState.IN_PROGRESS)
    old.refresh_from_db()
    assert old.state == AttemptState.REPLACED
    assert new.transaction_id == old.transaction_id
    assert new.max_fee * 8 >= old.max_fee * 9
    assert new.priority_fee * 8 >= old.priority_fee * 9
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_the_wrong_chain_pauses_and_the_right_one_resumes(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = chain.new_record(fresh_person())
    with monkeypatch.context() as wrong:
        wrong.setattr(client, "chain_id", lambda: 1)
        chain.relay()
    assert "The node is of chain 1" in Sender.objects.get().paused_reason
    assert "The node is of chain 1" in chain_status().paused_reason
    assert Transaction.objects.count() == 0
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert chain_status().paused_reason == ""


def test_no_contract_or_another_s_pauses(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.new_record(fresh_person())
    with monkeypatch.context() as gone:
        gone.setattr(client, "code", lambda _: b"")
        chain.relay()
    assert "no contract" in Sender.objects.get().paused_reason
    with monkeypatch.context() as other:
        other.setattr(client, "code", lambda _: b"\x60\x00")
        chain.relay()
    assert "not this portal's" in Sender.objects.get().paused_reason
    assert Transaction.objects.count() == 0


def test_a_node_that_is_down_pauses_and_resumes(chain: ChainNode, settings: Settings) -> None:
    act = chain.new_record(fresh_person())
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    with pytest.raises(ChainUnavailable):
        client.head()
    chain.relay()
    chain.sync()
    status = chain_status()
    assert "does not answer" in status.paused_reason
    assert not status.reachable
    assert status.waiting_acts == 1
    settings.CHAIN_RPC_URL = chain.url
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert chain_status().reachable


def test_a_relayer_without_money_pauses_and_resumes(chain: ChainNode, settings: Settings) -> None:
    key = secrets.token_bytes(32)
    settings.CHAIN_RELAYER_KEYS = ["0x" + key.hex()]
    act = chain.new_record(fresh_person())
    chain.relay()
    sender = Sender.objects.get()
    assert "too little money" in sender.paused_reason
    chain.fund(sender.address)
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_a_nonce_used_by_somebody_else_loses_nothing(held_blocks: ChainNode) -> None:
    act = held_blocks.new_record(fresh_person())
    held_blocks.relay()
    held_blocks.rpc("anvil_dropTransaction", Attempt.objects.get().hash)
    held_blocks.rpc("evm_setAutomine", True)
    send_and_wait(relayer_keys()[0], address_of_key(FUNDER), value=1)
    held_blocks.settle()
    held_blocks.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert sorted(Transaction.objects.values_list("state", flat=True)) == ["confirmed", "lost"]


def test_an_act_that_a_contract_judges_goes_alone(chain: ChainNode) -> None:
    first = chain.new_record(fresh_person())
    wallet = fresh_person()
    alone = submit_act(
        SignedAct(wallet.prepare("NameFolder", folder=1, name=bytes(32), serial=1), b"\x01" * 65, True)
    )
    last = chain.new_record(fresh_person())
    assert [act.pk for act in next_batch()[0].acts] == [first.pk, last.pk]
    chain.settle()
    assert state_of(first) == state_of(last) == ActState.CONFIRMED
    assert state_of(alone) == ActState.RETURNED
    assert alone.error_code == "NotSigner"


def test_a_batch_closes_at_its_bytes(chain: ChainNode, settings: Settings) -> None:
    settings.CHAIN_BATCH_BYTES = 4_000
    for _ in range(10):
        chain.new_record(fresh_person())
    batch, full = next_batch()
    assert full
    assert len(batch.calldata) <= 4_000
    assert 1 < len(batch.acts) < 10
    chain.settle()
    assert Transaction.objects.count() > 1
    assert not Act.objects.waiting().exists()


def test_only_one_process_holds_a_key_and_a_lost_lease_saves_nothing(chain: ChainNode) -> None:
    del chain
    sender = Sender.objects.create(address=fresh_person().address)
    with hold(sender) as mine:
        assert mine is not None
        with hold(sender) as theirs:
            assert theirs is None
        Sender.objects.update(lease="somebody else")
        with pytest.raises(LeaseLost):
            mine.renew()
    Sender.objects.update(leased_until=timezone.now())
    with hold(sender) as again:
        assert again is not None


def test_a_sender_whose_lease_is_taken_saves_nothing(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = chain.new_record(fresh_person())
    real = client.estimate_gas

    def stalled(to: str, data: bytes, sender: str) -> int:
        # So slow that the lease ran out, and another process took it.
        Sender.objects.update(lease="another process", leased_until=timezone.now())
        return real(to, data, sender)

    with monkeypatch.context() as slow:
        slow.setattr(client, "estimate_gas", stalled)
        chain.relay()
    assert not Transaction.objects.exists()
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED


def test_fees_leave_room_and_stop_at_the_ceiling() -> None:
    assert market_fees(100, 2, 1_000) == Fees(202, 2)
    assert market_fees(600, 2, 1_000) == Fees(1_000, 2)
    assert replacement_fees(Fees(100, 8), Fees(50, 1), 1_000) == Fees(113, 9)
    assert replacement_fees(Fees(0, 0), Fees(0, 0), 1_000) == Fees(1, 1)
    assert replacement_fees(Fees(950, 8), Fees(50, 1), 1_000) is None
