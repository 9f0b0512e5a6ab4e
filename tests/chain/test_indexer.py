"""Reading: the cursor, what is pending at the head, reorganisations, a chain that went back."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from chain.acts.messages import ZERO_ADDRESS
from chain.errors import ChainUnavailable, RpcRefused
from chain.indexer import run
from chain.models import Act, ActState, Block, Cursor, Event, SignerState, Transaction
from chain.models.sending import TransactionState
from chain.node import client, identity
from chain.registry import _resets, _run_handlers, on_event, on_reset
from chain.status.summary import chain_status
from chain.support.shared_clock import SharedNow
from tests.chain.test_outbox import grant, revoke
from tests.chain_node import ChainNode, Person, fresh_person


class Projection:
    """A projection of FolderNamed, as another app would keep one."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.resets = 0

    def name(self, event: Event) -> None:
        """Keep the folder's name."""
        self.names[f"{event['author']}/{event['folder']}"] = event["name"]

    def reset(self) -> None:
        """Forget all."""
        self.names.clear()
        self.resets += 1


@pytest.fixture
def projection() -> object:
    """A registered projection."""
    made = Projection()
    on_event("FolderNamed")(made.name)
    on_reset(made.reset)
    yield made
    _run_handlers["FolderNamed"].pop()
    _resets.remove(made.reset)


def name_folder(person: Person, serial: int = 1) -> Act:
    """Name the person's folder 1."""
    return person.submit("NameFolder", folder=1, name=bytes([serial] * 32), serial=serial)


def reorganise(chain: ChainNode, depth: int) -> None:
    """Replace the last blocks by empty ones. anvil gives the transactions up."""
    chain.rpc("anvil_reorg", depth, [])


def test_an_event_is_pending_at_the_head_and_applied_at_depth(
    chain: ChainNode, projection: Projection
) -> None:
    person = fresh_person()
    name_folder(person)
    chain.relay()
    chain.sync()
    event = Event.objects.get()
    assert list(Event.objects.pending()) == [event]
    assert projection.names == {}
    chain.mine()
    chain.sync()
    assert list(Event.objects.applied()) == [event]
    assert projection.names == {f"{person.address}/1": "0x" + "01" * 32}
    assert event.args == {"author": person.address, "folder": 1, "name": "0x" + "01" * 32, "serial": 1}
    assert Event.objects.authored_by(person.address).count() == 1


def test_a_revoke_counts_from_the_head(chain: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    grant(patient, doctor.address)
    chain.settle()
    revoke(patient, doctor.address, 2)
    chain.relay()
    chain.sync()
    pending = Event.objects.pending().named("AccessRevoked").about(patient.address).get()
    assert pending["grantee"] == doctor.address
    assert Event.objects.applied().named("AccessGranted").about(patient.address).exists()


def test_reading_again_changes_nothing(chain: ChainNode, projection: Projection) -> None:
    name_folder(fresh_person())
    chain.settle()
    before = list(Event.objects.values()), list(Cursor.objects.values("seen", "applied"))
    chain.sync()
    Cursor.objects.update(seen=Cursor.objects.get().seen - 1)
    chain.sync()
    assert (list(Event.objects.values()), list(Cursor.objects.values("seen", "applied"))) == before
    assert len(projection.names) == 1


def test_a_second_process_at_the_cursor_rolls_back(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    name_folder(fresh_person())
    chain.relay()
    chain.mine(3)
    real = client.logs

    def overtaken(first: int, last: int) -> list[client.RawLog]:
        found = real(first, last)
        monkeypatch.setattr(client, "logs", real)
        chain.sync()
        return found

    monkeypatch.setattr(client, "logs", overtaken)
    chain.sync()
    assert Event.objects.applied().count() == 1


def test_a_cursor_that_was_moved_meanwhile_is_not_moved_again(chain: ChainNode) -> None:
    stale = Cursor.objects.get()
    chain.mine(3)
    chain.sync()
    moved = Cursor.objects.get()
    with pytest.raises(run._Lost):
        run._guard(stale, seen=stale.seen + 1)
    assert Cursor.objects.get().seen == moved.seen > stale.seen + 1


def test_a_shallow_reorganisation_takes_pending_events_away(chain: ChainNode, projection: Projection) -> None:
    act = name_folder(fresh_person())
    chain.relay()
    chain.sync()
    lost = Event.objects.get()
    reorganise(chain, 1)
    chain.sync()
    assert not Event.objects.filter(pk=lost.pk).exists()
    act.refresh_from_db()
    assert (act.state, act.event) == (ActState.WAITING, None)
    chain.settle()
    act.refresh_from_db()
    assert act.state == ActState.CONFIRMED
    assert projection.resets == 0
    assert len(projection.names) == 1


def test_a_deep_reorganisation_takes_confirmed_acts_back_and_sends_the_same_bytes(
    chain: ChainNode, projection: Projection
) -> None:
    kept, lost = fresh_person(), fresh_person()
    name_folder(kept)
    chain.settle()
    act = name_folder(lost)
    chain.settle()
    act.refresh_from_db()
    assert act.state == ActState.CONFIRMED
    assert act.event is not None
    sent = list(Transaction.objects.values_list("attempts__hash", flat=True))
    reorganise(chain, client.head().number - act.event.block_number + 1)
    chain.sync()
    act.refresh_from_db()
    assert act.state == ActState.WAITING
    assert Act.objects.filter(pk=act.pk, event=None, settled_at=None).exists()
    assert projection.resets == 1
    assert list(projection.names) == [f"{kept.address}/1"]
    chain.settle()
    act.refresh_from_db()
    assert act.state == ActState.CONFIRMED
    assert set(projection.names) == {f"{kept.address}/1", f"{lost.address}/1"}
    assert list(Transaction.objects.values_list("attempts__hash", flat=True)) == sent
    assert set(Transaction.objects.values_list("state", flat=True)) == {TransactionState.CONFIRMED}


def test_a_node_behind_is_waited_for_and_then_believed(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_folder(fresh_person())
    chain.settle()
    now = client.head()
    before = client.block(now.number - 3)
    assert before is not None
    Block.objects.get_or_create(number=before.number, defaults={"hash": before.hash, "time": before.time})
    real = client.block
    monkeypatch.setattr(client, "head", lambda: before)
    monkeypatch.setattr(client, "block", lambda n: real(n) if n <= before.number else None)
    chain.sync()
    assert chain_status().paused_reason == ""
    Cursor.objects.update(heard_tick=SharedNow(-run._PASSING - timedelta(seconds=1)))
    chain.sync()
    assert "behind" in chain_status().paused_reason
    assert Event.objects.applied().count() == 1
    Cursor.objects.update(behind_tick=SharedNow(-run.BEHIND_FOR - timedelta(seconds=1)))
    chain.sync()
    assert not Event.objects.exists()
    assert Act.objects.waiting().count() == 1
    assert Cursor.objects.get().behind_since is None
    monkeypatch.undo()
    chain.settle()
    assert Act.objects.confirmed().count() == 1


def test_a_range_the_node_refuses_is_halved(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    name_folder(fresh_person())
    chain.relay()
    chain.mine(40)
    Cursor.objects.update(range=32)
    asked: list[int] = []
    real = client.logs

    def strict(first: int, last: int) -> list[client.RawLog]:
        asked.append(last - first + 1)
        if asked[-1] > 8:
            raise RpcRefused("query returned more than 10000 results")
        return real(first, last)

    monkeypatch.setattr(client, "logs", strict)
    settings.CHAIN_BLOCK_RANGE_MAX = 8
    chain.sync()
    assert asked[:3] == [32, 16, 8]
    assert max(asked[3:]) == 8
    assert Event.objects.applied().count() == 1
    assert Cursor.objects.get().seen == client.head().number


def test_a_node_that_fails_in_the_middle_leaves_the_cursor_where_it_was(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_folder(fresh_person())
    chain.relay()
    seen = Cursor.objects.get().seen

    def silent(first: int, last: int) -> list[client.RawLog]:
        del first, last
        raise ChainUnavailable("The chain's node does not answer.")

    with monkeypatch.context() as broken:
        broken.setattr(client, "logs", silent)
        chain.sync()
    assert Cursor.objects.get().seen == seen
    assert "does not answer" in chain_status().paused_reason
    chain.sync()
    assert Event.objects.pending().count() == 1
    assert chain_status().paused_reason == ""


def test_a_handler_that_fails_stops_reading_where_it_is_and_says_so(chain: ChainNode) -> None:
    act = name_folder(fresh_person())

    def broken(event: Event) -> None:
        raise RuntimeError(event.name)

    on_event("FolderNamed")(broken)
    try:
        chain.relay()
        chain.mine()
        with pytest.raises(RuntimeError):
            chain.sync()
    finally:
        _run_handlers["FolderNamed"].pop()
    assert "could not be applied" in chain_status().paused_reason
    assert Event.objects.pending().count() == 1
    act.refresh_from_db()
    assert act.state == ActState.WAITING
    chain.sync()
    act.refresh_from_db()
    assert act.state == ActState.CONFIRMED
    assert chain_status().paused_reason == ""


def test_the_wrong_chain_is_not_read(chain: ChainNode, monkeypatch: pytest.MonkeyPatch) -> None:
    name_folder(fresh_person())
    chain.relay()
    with monkeypatch.context() as wrong:
        wrong.setattr(identity, "chain_id", lambda: 1)
        chain.sync()
    assert not Event.objects.exists()
    assert "chain 1" in chain_status().paused_reason


def test_an_event_of_an_unknown_account_is_kept_too(chain: ChainNode) -> None:
    act = name_folder(fresh_person())
    chain.relay()
    Act.objects.all().delete()
    chain.mine()
    chain.sync()
    assert Event.objects.applied().get().act_digest == act.digest


def test_replaced_keys_change_who_signs(chain: ChainNode) -> None:
    person, successor = fresh_person(), fresh_person()
    key = bytes([1]) + bytes(1216)
    replaced = person.submit(
        "ReplaceKeys", generation=1, signer=successor.address, key=key, envelopes=bytes(32)
    )
    by_new_key = Person(person.address, successor.key)
    named = by_new_key.submit("NameFolder", folder=1, name=bytes(32), serial=1)
    assert list(named.needs.all()) == [replaced]
    chain.settle()
    assert SignerState.objects.get(account=person.address).signer == successor.address
    named.refresh_from_db()
    assert named.state == ActState.CONFIRMED
    with pytest.raises(ValueError, match="not by the account's signer"):
        person.submit("NameFolder", folder=1, name=bytes(32), serial=2)


def test_recovery_is_known(chain: ChainNode) -> None:
    person, friend = fresh_person(), fresh_person()
    person.submit("NameRecovery", recovery=friend.address, serial=1)
    chain.settle()
    assert SignerState.objects.get(account=person.address).recovery == friend.address
    by_friend = Person(person.address, friend.key)
    by_friend.submit("NameRecovery", recovery=ZERO_ADDRESS, serial=2)
    with pytest.raises(ValueError, match="not by the account's signer"):
        person.submit("NameRecovery", recovery=ZERO_ADDRESS, serial=3)


def test_a_block_is_indexed_again_from_a_number_on(chain: ChainNode, projection: Projection) -> None:
    kept, again = fresh_person(), fresh_person()
    name_folder(kept)
    chain.settle()
    act = name_folder(again)
    chain.settle()
    act.refresh_from_db()
    assert act.event is not None
    before = list(Event.objects.values_list("act_digest", "block_hash", "applied"))
    run.reindex_from(act.event.block_number)
    assert list(projection.names) == [f"{kept.address}/1"]
    assert Event.objects.count() == 1
    act.refresh_from_db()
    assert act.state == ActState.WAITING
    chain.relay()
    chain.sync()
    assert list(Event.objects.values_list("act_digest", "block_hash", "applied")) == before
    assert len(projection.names) == 2
    act.refresh_from_db()
    assert act.state == ActState.CONFIRMED
    assert Transaction.objects.filter(attempts__state="replaced").count() == 0
