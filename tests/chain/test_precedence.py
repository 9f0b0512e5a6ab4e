"""An act that waits again after the chain lost it goes before acts that build on it."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chain.acts.messages import ZERO_ADDRESS, prepare_act, sign_act
from chain.contract.slots import record_id
from chain.indexer.run import reindex_from
from chain.keys.ecdsa import address_of_key
from chain.models import Act, ActState, Event
from chain.node import client
from chain.outbox.precedence import BY_EVENT, take_back
from chain.outbox.submit import submit_act
from tests.chain.test_outbox import grant, revoke
from tests.chain_node import ChainNode, Person, fresh_person, state_of


def modify(author: Person, record: str, version: int, *, patient: str = "", epoch: int = 0) -> Act:
    """A version of a record of folder 1."""
    return author.submit(
        "ModifyRecord",
        patient=patient or author.address,
        via=ZERO_ADDRESS,
        record=record,
        folder=1,
        epoch=epoch,
        version=version,
        flags=0,
        content=bytes(32),
        description=bytes(32),
        secret=bytes(40),
    )


def close(patient: Person, record: str) -> Act:
    """The end of a record."""
    return patient.submit("CloseRecord", patient=patient.address, record=record, nonce=bytes(32), reason=2)


def rekey(patient: Person, to: int) -> Act:
    """Folder 1 moved on by one epoch."""
    return patient.submit("RekeyFolder", folder=1, fromEpoch=to - 1, toEpoch=to, envelopes=bytes(32))


def added(act: Act) -> str:
    """The id of the record that an act added."""
    return record_id(act.author, act.fields["nonce"])


@pytest.fixture
def lost(held_blocks: ChainNode) -> Iterator["LostChain"]:
    """A chain that loses what it had, and mines nothing until it is told to."""
    yield LostChain(held_blocks)
    held_blocks.set_clock()


class LostChain:
    """The node, with a way to take back all since the test began."""

    def __init__(self, chain: ChainNode) -> None:
        self.chain = chain
        self._first = client.head().number

    def lose(self) -> None:
        """Empty blocks in the place of those since. The node has given up their transactions."""
        self.chain.rpc("anvil_reorg", client.head().number - self._first, [])

    def judge(self) -> None:
        """Run the relayer for some seconds while nothing is mined."""
        for _ in range(3):
            self.chain.relay()
            Act.objects.waiting().update(retry_tick=None)


def test_what_was_accepted_on_top_of_confirmed_acts_waits_for_them(lost: LostChain) -> None:
    patient, friend = fresh_person(), fresh_person()
    first, second = lost.chain.new_record(patient), lost.chain.new_record(patient)
    rekey(patient, 1)
    lost.chain.settle()
    young = [
        modify(patient, added(first), 2, epoch=1),
        close(patient, added(second)),
        lost.chain.new_record(patient, epoch=1),
        grant(patient, friend.address, epoch=1),
        rekey(patient, 2),
    ]
    assert not any(act.needs.filter(kind="NewRecord", pk=first.pk).exists() for act in young)
    lost.lose()
    lost.chain.sync()
    lost.judge()
    assert {state_of(act) for act in young} == {ActState.WAITING}
    assert not Act.objects.exclude(refused_block=None).exists()
    lost.chain.settle()
    assert set(Act.objects.values_list("state", "replay_place")) == {(ActState.CONFIRMED, None)}


def test_nothing_is_judged_by_a_chain_that_was_not_read(lost: LostChain) -> None:
    patient = fresh_person()
    record = lost.chain.new_record(patient)
    lost.chain.settle()
    young = modify(patient, added(record), 2)
    lost.lose()  # and the indexer does not look: our blocks are as many as the node's
    lost.judge()
    assert state_of(young) == ActState.WAITING
    lost.chain.sync()
    lost.chain.settle()
    assert state_of(young) == ActState.CONFIRMED


def test_an_act_that_a_reorganisation_did_not_see_is_linked_when_it_is_refused(lost: LostChain) -> None:
    patient = fresh_person()
    record = lost.chain.new_record(patient)
    lost.chain.settle()
    young = modify(patient, added(record), 2)
    lost.lose()
    lost.chain.sync()
    young.needs.clear()  # as if it had been accepted in the very moment of the rewind
    lost.judge()
    assert state_of(young) == ActState.WAITING
    assert set(young.needs.all()) == {record}
    lost.chain.settle()
    assert state_of(young) == ActState.CONFIRMED


def test_a_first_refusal_by_a_chain_that_is_gone_does_not_count(lost: LostChain) -> None:
    patient = fresh_person()
    record = lost.chain.new_record(patient)
    lost.chain.settle()
    young = modify(patient, added(record), 2)
    Act.objects.filter(pk=young.pk).update(refused_block=1)
    lost.lose()
    lost.chain.sync()
    young.refresh_from_db()
    assert young.refused_block is None


def test_a_refusal_at_a_block_that_is_gone_holds_nothing_up(chain: ChainNode) -> None:
    patient = fresh_person()
    wrong = close(patient, "0x" + "77" * 32)
    Act.objects.filter(pk=wrong.pk).update(refused_block=client.head().number + 1_000)
    chain.settle()
    chain.settle()
    assert state_of(wrong) == ActState.FAILED


def test_acts_keep_the_chain_s_order_and_never_wait_in_a_circle(lost: LostChain) -> None:
    """The friend writes, is revoked while that waits, and the folder moves. Then all of it is lost."""
    patient, friend = fresh_person(), fresh_person()
    record = lost.chain.new_record(patient)
    grant(patient, friend.address, permissions=3)
    lost.chain.settle()
    written = modify(friend, added(record), 2, patient=patient.address)
    moved = rekey(patient, 1)  # waits for what is written
    revoke(patient, friend.address, 2)
    again = grant(patient, friend.address, 3, permissions=3, epoch=1)
    lost.chain.settle()
    more = modify(friend, added(record), 3, patient=patient.address, epoch=1)
    states = {act: state_of(act) for act in (written, moved, again)}
    lost.lose()
    lost.chain.sync()
    lost.judge()
    lost.chain.settle()
    lost.chain.settle()
    assert {act: state_of(act) for act in states} == states
    assert state_of(more) == ActState.CONFIRMED
    assert not Act.objects.waiting().exists()


def test_new_keys_come_before_what_they_sign(lost: LostChain) -> None:
    patient = fresh_person()
    new_key = bytes([7]) * 31 + patient.key[:1]
    signed_before = lost.chain.new_record(patient)
    lost.chain.settle()
    patient.submit(
        "ReplaceKeys",
        generation=1,
        signer=address_of_key(new_key),
        key=bytes([1]) + bytes(1216),
        envelopes=bytes(32),
    )
    lost.chain.settle()
    act = prepare_act("NameFolder", author=patient.address, folder=1, name=bytes(32), serial=1)
    young = submit_act(sign_act(act, new_key))
    lost.lose()
    lost.chain.sync()
    lost.judge()
    lost.chain.settle()
    assert {state_of(signed_before), state_of(young)} == {ActState.CONFIRMED}


def test_what_an_operator_has_read_again_waits_in_order_too(chain: ChainNode) -> None:
    patient = fresh_person()
    record = chain.new_record(patient)
    chain.settle()
    young = modify(patient, added(record), 2)
    reindex_from(Event.objects.get(act_digest=record.digest).block_number)
    assert set(young.needs.all()) == {record}
    chain.settle()
    assert state_of(young) == ActState.CONFIRMED


def test_links_and_statements_grow_no_faster_than_acts(chain: ChainNode) -> None:
    """A record of many versions: each is linked to the one before it, not to all of them."""
    statements, links = [], []
    for versions in (4, 40):
        patient = fresh_person()
        record = added(chain.new_record(patient))
        for version in range(2, versions + 1):
            modify(patient, record, version)
        chain.settle()
        young = modify(patient, record, versions + 1)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            take_back(Act.objects.confirmed().by(patient.address), BY_EVENT)
        statements.append(len(asked))
        links.append(Act.needs.through.objects.filter(from_act__author=patient.address).count())
        assert young.needs.count() == 1
        Act.objects.by(patient.address).delete()
    assert statements[0] == statements[1]
    assert links == [4, 40]
