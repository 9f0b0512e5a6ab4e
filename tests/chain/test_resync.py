"""Resync: the tables come back byte for byte from the chain alone, at any moment, or stay as they were."""

from collections.abc import Iterator, Sequence
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from chain.contract.abi import ACT_OF_EVENT
from chain.errors import ChainUnavailable
from chain.indexer import resync
from chain.models import Act, ActState, Block, Cursor, Event
from chain.node import client, rpc
from chain.registry import _news_handlers, announce_events, on_news, runs_of
from records.models import Grant, Version
from tests.chain.every_act import Cast, tables, tell
from tests.chain_node import ChainNode, fresh_person, own_chain


@pytest.fixture(scope="module")
def chain_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainNode]:
    """A chain of their own: on the other one is all that the tests before did."""
    with own_chain(tmp_path_factory.mktemp("var")) as node:
        yield node


@pytest.fixture
def told(chain: ChainNode) -> Cast:
    """Everything read from the contract's first block on, and a history with every act."""
    Cursor.objects.all().delete()
    Block.objects.all().delete()
    chain.sync()
    cast = tell(chain)
    assert set(Event.objects.applied().values_list("name", flat=True)) == set(ACT_OF_EVENT)
    assert not Act.objects.exclude(state=ActState.CONFIRMED).exists()
    return cast


def run(*options: str) -> str:
    """Return the output of the command."""
    out, err = StringIO(), StringIO()
    call_command("resync", *options, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


@pytest.mark.usefixtures("told")
def test_the_tables_come_back_the_same(chain: ChainNode) -> None:
    before = tables()
    said = run()
    assert tables() == before
    assert f"{Event.objects.count():,} events" in said
    for step in ("read:", "stored:", "applied:"):
        assert step in said
    chain.sync()
    assert tables() == before


@pytest.mark.usefixtures("told")
def test_the_tables_come_back_the_same_after_a_reorganisation(chain: ChainNode) -> None:
    chain.new_record(fresh_person())
    chain.settle()
    chain.rpc("anvil_reorg", 4, [])
    chain.mine(2)
    chain.sync()
    chain.settle()
    assert not Act.objects.exclude(state=ActState.CONFIRMED).exists()
    before = tables()
    run()
    assert tables() == before


@pytest.mark.usefixtures("told")
def test_what_was_lost_or_changed_in_the_tables_comes_back() -> None:
    before = tables()
    Version.objects.all().delete()
    Grant.objects.update(permissions=3, ended="")
    Event.objects.named("AccessRevoked").delete()
    event = Event.objects.named("AccessGranted").first()
    assert event is not None
    event.args["permissions"] = 3
    event.save(update_fields=["args"])
    assert tables() != before
    run()
    assert tables() == before


@pytest.mark.usefixtures("told")
def test_projections_come_back_from_the_archive_without_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables()
    Version.objects.all().delete()
    Grant.objects.update(permissions=3, ended="")
    monkeypatch.setattr(rpc, "request", lambda *asked: pytest.fail(f"asked the node {asked}"))
    run("--from-archive")
    assert tables() == before


@pytest.mark.usefixtures("told")
def test_the_indexer_goes_on_while_the_chain_is_read(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = resync._empty_blocks
    rounds: list[int] = []

    def meanwhile(head: client.Head) -> list[Block]:
        rounds.append(head.number)
        if len(rounds) == 1:
            chain.new_record(fresh_person())
            chain.settle()
        return real(head)

    monkeypatch.setattr(resync, "_empty_blocks", meanwhile)
    run()
    assert len(rounds) == 2
    assert not Act.objects.exclude(state=ActState.CONFIRMED).exists()
    after = tables()
    chain.sync()
    assert tables() == after


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("place", ["reset_projections", "link_acts", "_take_back_acts"])
def test_what_ends_in_the_middle_leaves_the_old_state(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, cursor = tables(), list(Cursor.objects.values())

    def end(*given: object) -> None:
        raise KeyboardInterrupt(given)

    monkeypatch.setattr(resync, place, end)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert (tables(), list(Cursor.objects.values())) == (before, cursor)


@pytest.mark.usefixtures("told")
def test_a_node_that_fails_leaves_the_old_state(monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables()

    def silent(first: int, last: int) -> list[client.RawLog]:
        raise ChainUnavailable(f"The chain's node does not answer ({first} to {last}).")

    for ask in ("logs", "logs_and_block"):
        monkeypatch.setattr(client, ask, silent)
    with pytest.raises(CommandError, match="Nothing has changed: The chain's node does not answer"):
        run()
    assert tables() == before


def test_acts_that_the_chain_has_lost_wait_again_and_what_it_has_more_is_confirmed(
    chain: ChainNode, told: Cast
) -> None:
    Act.objects.by(told.doctor.address).update(state=ActState.RETURNED, settled_at=None, error="x")
    act = chain.new_record(fresh_person())
    chain.settle()
    act.refresh_from_db()
    assert act.event is not None
    chain.rpc("anvil_reorg", client.head().number - act.event.block_number + 1, [])
    chain.mine(2)
    run()
    act.refresh_from_db()
    assert Act.objects.waiting().filter(pk=act.pk, event=None, settled_at=None).exists()
    doctors = Act.objects.by(told.doctor.address)
    assert set(doctors.values_list("state", "error")) == {(ActState.CONFIRMED, "")}
    chain.settle()
    act.refresh_from_db()
    assert act.state == ActState.CONFIRMED


@pytest.mark.usefixtures("told")
def test_what_follows_from_an_event_follows_only_if_it_is_new(chain: ChainNode) -> None:
    heard: list[str] = []

    def hear(events: Sequence[Event]) -> None:
        heard.extend(event.act_digest for event in events)

    on_news("FolderNamed")(hear)
    try:
        run("--from-archive")
        run()
        assert heard == []
        fresh = fresh_person().submit("NameFolder", folder=1, name=bytes(32), serial=1)
        chain.relay()
        chain.mine(2)
        run()
        assert heard == [fresh.digest]
    finally:
        _news_handlers["FolderNamed"].pop()


@pytest.mark.usefixtures("told")
def test_every_event_told_twice_leaves_the_same_tables() -> None:
    before = tables()
    for run_of_one_name in runs_of(Event.objects.in_order()):
        announce_events(run_of_one_name)
    assert tables() == before
