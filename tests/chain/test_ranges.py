"""Truth: a node that lags, answers from another fork or keeps logs back moves nothing past what is true."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from chain.acts.messages import ZERO_ADDRESS, folder_scope, prepare_act
from chain.errors import ChainUnavailable, LogsMissing, NodeBehind, Reorganised, RpcRefused
from chain.indexer import reorg
from chain.models import Act, ActState, Block, Cursor, Event
from chain.node import client, identity, ranges, rpc
from chain.node.deployment import deployment
from chain.node.ranges import RangeReader, may_hold_logs, read_range
from chain.operations.deploy import send_and_wait
from chain.status.summary import chain_status
from tests.chain.test_indexer import name_folder
from tests.chain.test_outbox import grant
from tests.chain_node import ChainNode, fresh_person

Logs = Callable[[int, int], list[client.RawLog]]


def cursor() -> Cursor:
    """Return the cursor: how far reading is."""
    return Cursor.objects.get()


@pytest.mark.parametrize("answers_receipts", [True, False])
def test_a_block_whose_logs_are_kept_back_is_not_passed(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch, answers_receipts: bool
) -> None:
    chain.mine(2)
    act = name_folder(fresh_person())
    chain.relay()
    chain.mine(5)
    real, ask = client.logs, rpc.request
    held = real(cursor().seen + 1, client.head().number)[0].block_number

    def without(method: str, *params: object) -> object:
        if method == "eth_getBlockReceipts" and not answers_receipts:
            raise RpcRefused("the method does not exist", -32601)
        return ask(method, *params)

    with monkeypatch.context() as lagging:
        ranges._holds_logs.cache_clear()
        lagging.setattr(rpc, "request", without)
        lagging.setattr(client, "logs", lambda *_: [])
        for _ in range(3):
            Cursor.objects.update(heard_tick=None)
            chain.sync()
        assert cursor().seen == cursor().applied == held - 1
        assert f"block {held}" in chain_status().paused_reason
    chain.sync()
    act.refresh_from_db()
    assert act.state == ActState.CONFIRMED
    assert chain_status().paused_reason == ""


def test_nor_one_far_below_the_head(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A portal that has been away for a while, and a node that has not yet found its logs again."""
    chain.mine(2)
    act = name_folder(fresh_person())
    chain.relay()
    chain.mine(ranges._NEAR + 200)
    real, batch = client.logs, rpc.batch
    held = real(cursor().seen + 1, client.head().number)[0].block_number

    def without_logs(asked: Any) -> list[Any]:
        methods = [method for method, _ in asked]
        return [
            [] if method == "eth_getLogs" else given
            for method, given in zip(methods, batch(asked), strict=True)
        ]

    with monkeypatch.context() as lagging:
        lagging.setattr(rpc, "batch", without_logs)
        lagging.setattr(client, "logs", lambda *_: [])
        chain.sync()
        assert cursor().seen == cursor().applied == held - 1
    chain.sync()
    act.refresh_from_db()
    assert act.state == ActState.CONFIRMED


@pytest.mark.parametrize("batches", [True, False])
def test_headers_are_asked_for_many_at_a_time_where_the_node_takes_it(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch, batches: bool
) -> None:
    chain.mine(120)
    numbers = range(client.head().number - 115, client.head().number + 3)
    each = [client.block(number) for number in numbers]
    assert [header is None for header in each] == [False] * 116 + [True] * 2
    asked, real = [], rpc.batch

    def counted(calls: Sequence[Any]) -> list[Any]:
        asked.append(len(calls))
        if not batches:
            raise RpcRefused("batches are not taken", -32600)
        return real(calls)

    monkeypatch.setattr(rpc, "batch", counted)
    assert client.blocks(numbers) == each
    assert asked == [100, 18]


def test_a_bloom_filter_that_only_seems_to_have_us_holds_nothing_up(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.fund(fresh_person().address)
    head = client.head()
    full = replace(head, bloom="0x" + "ff" * 256)
    assert may_hold_logs(full.bloom, deployment().address)
    assert not may_hold_logs(head.bloom, deployment().address)
    monkeypatch.setattr(client, "head", lambda: full)
    chain.sync()
    assert cursor().seen == head.number


def test_a_bloom_filter_has_every_block_with_our_events(chain: ChainNode) -> None:
    first = client.head().number + 1
    for _ in range(4):
        name_folder(fresh_person())
        chain.relay()
    for number in range(first, client.head().number + 1):
        block = client.block(number)
        assert block is not None
        assert may_hold_logs(block.bloom, deployment().address) == bool(client.logs(number, number))


def test_headers_of_two_forks_are_no_range(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.mine(6)
    head, real = client.head(), client.blocks
    other = head.number - 2

    def mixed(numbers: Sequence[int]) -> list[client.Head | None]:
        forked = "0x" + "ab" * 32
        found = zip(numbers, real(numbers), strict=True)
        return [replace(each, hash=forked) if each and number == other else each for number, each in found]

    monkeypatch.setattr(client, "blocks", mixed)
    with pytest.raises(Reorganised):
        read_range(head.number - 4, head.number, head)
    assert read_range(other + 1, head.number, head).logs == []


def test_logs_of_another_fork_are_no_range(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    name_folder(fresh_person())
    chain.relay()
    head, real = client.head(), client.logs
    assert len(read_range(head.number, head.number, head).logs) == 1

    def other(first: int, last: int) -> list[client.RawLog]:
        return [replace(raw, block_hash="0x" + "ab" * 32) for raw in real(first, last)]

    monkeypatch.setattr(client, "logs", other)
    with pytest.raises(Reorganised):
        read_range(head.number, head.number, head)


def test_a_range_far_below_the_head_that_changes_while_it_is_read_is_none(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.head().number + 1
    chain.mine(ranges._NEAR + 10)
    head, real = client.head(), rpc.batch
    assert read_range(first, first + 3, head).last == first + 3
    calls: list[str] = []

    def while_it_changes(asked: Any) -> list[Any]:
        calls.extend(method for method, _ in asked)
        sender = chain.rpc("eth_accounts")[1]  # an empty block could be the same again
        sent = {"from": sender, "to": sender, "value": "0x1"}
        chain.rpc("anvil_reorg", head.number - first - 2, [[sent, 0]])
        return real(asked)

    monkeypatch.setattr(rpc, "batch", while_it_changes)
    with pytest.raises(Reorganised):
        read_range(first, first + 3, head)
    assert calls == ["eth_getLogs", "eth_getBlockByNumber"]


@pytest.mark.parametrize("batches", [True, False])
def test_far_below_the_head_a_node_without_the_last_block_has_not_given_its_logs(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch, batches: bool
) -> None:
    first = client.head().number + 1
    act = name_folder(fresh_person())
    chain.relay()
    chain.mine(ranges._NEAR + 10)
    head, block, lacking, seen = client.head(), client.block, first + 3, itertools.count()

    def some(asked: Any) -> list[Any]:
        if not batches:
            raise RpcRefused("batches are not taken", -32600)
        assert [method for method, _ in asked] == ["eth_getLogs", "eth_getBlockByNumber"]
        return [[], None]

    with monkeypatch.context() as late:
        late.setattr(rpc, "batch", some)
        late.setattr(client, "logs", lambda *_: [])
        late.setattr(client, "block", lambda n: None if n == lacking and next(seen) else block(n))
        with pytest.raises(NodeBehind):
            read_range(first, lacking, head)
    (raw,) = read_range(first, lacking, head).logs
    assert raw.topics[1].endswith(act.author[2:].lower())


def test_an_answer_that_is_cut_short_is_asked_for_in_halves(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.head().number + 1
    for _ in range(6):
        name_folder(fresh_person())
        chain.relay()
    head, real = client.head(), client.logs
    whole = real(first, head.number)
    monkeypatch.setattr(ranges, "_ROUND", 3)
    monkeypatch.setattr(client, "logs", lambda first, last: real(first, last)[:3])
    reader, got = RangeReader(100), list[client.RawLog]()
    while first <= head.number:
        found = reader.read(first, head)
        got += found.logs
        first = found.last + 1
    assert got == whole
    assert len(got) == 6


def test_a_reorganisation_that_adds_an_event_to_a_block_seen_as_empty_is_noticed(chain: ChainNode) -> None:
    chain.mine(3)
    chain.sync()
    empty = client.head().number - 1
    act = name_folder(fresh_person())
    raw = prepare_act("NameFolder", **act.fields).calldata(bytes(act.signature))
    funded = fresh_person()
    chain.fund(funded.address, 1)
    chain.sync()
    Act.objects.all().delete()
    depth = client.head().number - empty + 1
    sent = chain.rpc("eth_accounts")[1]
    fields = {"from": sent, "to": deployment().address, "data": "0x" + raw.hex(), "gas": hex(500_000)}
    chain.rpc("anvil_reorg", depth, [[fields, 0]])
    chain.sync()
    event = Event.objects.get()
    assert event.block_number == empty
    assert Block.objects.get(number=empty).hash == event.block_hash


@pytest.mark.parametrize("confirmations", [2, 12])
def test_a_revoke_sent_by_a_wallet_counts_after_one_poll(
    chain: ChainNode, settings: Settings, confirmations: int
) -> None:
    patient, doctor = fresh_person(), fresh_person()
    grant(patient, doctor.address)
    chain.settle()
    settings.CHAIN_CONFIRMATIONS = confirmations
    chain.mine(confirmations)
    chain.sync()
    chain.fund(patient.address, 1)
    revoke = patient.prepare(
        "RevokeAccess", grantee=doctor.address, via=ZERO_ADDRESS, scope=folder_scope(1), serial=2
    )
    send_and_wait(patient.key, deployment().address, revoke.calldata(b""), gas=200_000)
    chain.sync()
    pending = Event.objects.pending().named("AccessRevoked").get()
    assert (pending.subject, pending["grantee"]) == (patient.address, doctor.address)
    assert chain_status().paused_reason == ""


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("shared", [*range(9), 40, 99])
def test_the_ancestor_is_found_however_deep(monkeypatch: pytest.MonkeyPatch, shared: int) -> None:
    head = client.head()
    Block.objects.all().delete()
    stored = [head.number + 3 * place for place in range(100)]
    Block.objects.bulk_create(
        [Block(number=number, hash=f"0x{number:064x}", time=head.time) for number in stored]
    )
    asked: list[int] = []

    def on_chain(block: Block, head: client.Head) -> bool:
        asked.append(block.number)
        return block.number < stored[shared] <= head.number

    monkeypatch.setattr(reorg, "_is_on_chain", on_chain)
    above = replace(head, number=stored[-1] + 10)
    expected = stored[shared - 1] if shared else max(deployment().block - 1, 0)
    assert reorg.find_ancestor(above, patient=True) == expected
    assert len(asked) < 16
    assert asked[0] == stored[-1]


def test_a_node_that_says_it_is_syncing_is_waited_for(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_folder(fresh_person())
    chain.settle()
    before = client.block(client.head().number - 3)
    assert before is not None
    real = client.block
    monkeypatch.setattr(client, "head", lambda: before)
    monkeypatch.setattr(client, "block", lambda n: real(n) if n <= before.number else None)
    Cursor.objects.update(behind_since=timezone.now() - timedelta(days=1))
    with monkeypatch.context() as syncing:
        syncing.setattr(client, "is_syncing", lambda: True)
        chain.sync()
        assert Event.objects.applied().count() == 1
    chain.sync()
    assert not Event.objects.exists()


def test_nodes_that_answer_in_turn_lose_nothing_and_make_no_noise(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a load balancer: of two nodes one is some blocks late; every call goes to the next of them."""
    late, calls = 3, itertools.count()
    block, logs = client.block, client.logs

    def known() -> int:
        number: int = int(chain.rpc("eth_blockNumber"), 16)
        return number - (late if next(calls) % 2 else 0)

    def some_head() -> client.Head:
        found = block(known())
        assert found is not None
        return found

    def some_logs(first: int, last: int) -> list[client.RawLog]:
        return [raw for raw in logs(first, last) if raw.block_number <= known()]

    acts = []
    chain.mine()
    chain.sync()
    for _ in range(6):
        acts.append(name_folder(fresh_person()))
        chain.relay()
        chain.mine()
        with monkeypatch.context() as balanced:
            balanced.setattr(client, "head", some_head)
            balanced.setattr(client, "block", lambda number: block(number) if number <= known() else None)
            balanced.setattr(client, "logs", some_logs)
            for _ in range(4):
                chain.sync()
                assert chain_status().paused_reason == ""
    chain.sync()
    assert Event.objects.applied().count() == len(acts)
    assert Act.objects.confirmed().count() == len(acts)


def test_a_missing_log_is_what_it_says(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    name_folder(fresh_person())
    chain.relay()
    head = client.head()
    monkeypatch.setattr(client, "logs", lambda *_: [])
    with pytest.raises(LogsMissing, match=f"block {head.number}"):
        read_range(head.number, head.number, head)


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("said", ["much", 7, [], {}, {"number": "0x1"}, {"number": "x"}, [{"topics": 1}]])
def test_an_answer_of_another_shape_is_a_node_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    monkeypatch.setattr(rpc, "request", lambda *_: said)
    for ask in (client.head, identity.chain_id, lambda: client.block(1)):
        with pytest.raises(ChainUnavailable):
            ask()
    if said not in ([], {}):
        with pytest.raises(ChainUnavailable):
            client.logs(1, 2)
