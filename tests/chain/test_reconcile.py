"""Reconciling chain, archive, outbox and transactions: every difference made for real, seen, and mended."""

import secrets
from collections.abc import Iterator

import pytest
from django.utils import timezone

from chain.errors import ChainUnavailable
from chain.models import Act, ActState, Cursor, Event, Sender, SignerState, Transaction
from chain.models.sending import TransactionState
from chain.reconcile import acts, archive, state
from chain.reconcile.run import Check, Finding, Result, RunOptions, reconcile
from tests.chain.test_outbox import grant
from tests.chain_node import ChainNode, fresh_person, state_of

CHECKS = (*archive.CHECKS, *acts.CHECKS, *state.CHECKS)
KEY = b"\x01" + bytes(1216)


@pytest.fixture
def options(chain: ChainNode) -> RunOptions:
    """From the first block that the test makes."""
    del chain
    return RunOptions(first=Cursor.objects.get().applied + 1)


@pytest.fixture
def story(chain: ChainNode, options: RunOptions) -> list[Act]:
    """A named folder, a record, a grant and a change of keys, all confirmed."""
    del options  # which has to know the block before
    one, other, successor = fresh_person(), fresh_person(), fresh_person()
    acts = [
        one.submit("NameFolder", folder=1, name=secrets.token_bytes(32), serial=1),
        chain.new_record(one),
        grant(one, other.address),
        other.submit("NameRecovery", recovery=one.address, serial=1),
        other.submit(
            "ReplaceKeys", generation=1, signer=successor.address, key=KEY, envelopes=secrets.token_bytes(32)
        ),
    ]
    chain.settle()
    assert {state_of(act) for act in acts} == {ActState.CONFIRMED}
    return acts


def differences(options: RunOptions, *, repair: bool = False) -> dict[str, Result]:
    """The results with findings, by check."""
    return {done.check.id: done for done in reconcile(CHECKS, options, repair=repair) if done.findings}


def the_one(options: RunOptions, check: str) -> Finding:
    """The only finding of all."""
    found = differences(options)
    assert set(found) == {check}, found
    (finding,) = found[check].findings
    return finding


def mended(options: RunOptions, check: str) -> None:
    """A repair says what it did, and nothing is left."""
    done = differences(options, repair=True)[check]
    assert done.left == 0
    assert all(done.repaired.values())
    assert differences(options) == {}


@pytest.mark.usefixtures("story")
def test_what_agrees_gives_no_finding(options: RunOptions) -> None:
    assert Event.objects.count() == 5
    assert differences(options) == {}


@pytest.mark.usefixtures("story")
def test_an_event_that_the_archive_lost(options: RunOptions) -> None:
    gone = Event.objects.get(name="RecordAdded")
    Act.objects.filter(event=gone).update(event=None)
    gone.delete()
    found = differences(options)
    assert "the archive nothing" in found["C101"].findings[0].what
    # The act is on the chain, so it must not be sent again: the contract would refuse it for ever.
    assert found["C201"].findings[0].repair is None


@pytest.mark.usefixtures("story")
def test_an_event_that_the_node_does_not_have(options: RunOptions) -> None:
    twin = Event.objects.get(name="RecordAdded")
    twin.pk, twin.log_index, twin.act_digest = None, 99, "0x" + "11" * 32
    twin.save(force_insert=True)
    assert "the node nothing" in the_one(options, "C101").what


@pytest.mark.usefixtures("story")
def test_an_event_that_was_changed_in_the_archive(options: RunOptions) -> None:
    event = Event.objects.get(name="AccessGranted")
    event.args["permissions"] = 3
    event.save()
    assert "differs from the node in args" in the_one(options, "C101").what


@pytest.mark.usefixtures("story")
def test_an_event_that_was_never_applied(options: RunOptions) -> None:
    event = Event.objects.get(name="KeysReplaced")
    Event.objects.filter(pk=event.pk).update(applied=False)
    SignerState.objects.filter(account=event.author).update(signer=event.author, generation=0)
    assert set(differences(options)) == {"C102", "C401"}
    done = differences(options, repair=True)
    assert set(done) == {"C102"}
    assert done["C102"].left == 0
    assert differences(options) == {}


@pytest.mark.usefixtures("story")
def test_an_event_applied_above_the_cursor(options: RunOptions) -> None:
    last = Event.objects.in_order().last()
    assert last is not None
    Cursor.objects.update(applied=last.block_number - 1)
    assert "C103" in differences(options)


def test_an_act_confirmed_without_its_event_is_linked_again(options: RunOptions, story: list[Act]) -> None:
    Act.objects.filter(pk=story[1].pk).update(event=None)
    assert the_one(options, "C201").subject == f"act {story[1].pk} (NewRecord)"
    mended(options, "C201")


def test_an_act_confirmed_that_never_reached_the_chain_goes_back_to_the_queue(
    chain: ChainNode, options: RunOptions, story: list[Act]
) -> None:
    del story
    act = chain.new_record(fresh_person())
    Act.objects.filter(pk=act.pk).update(state=ActState.CONFIRMED, settled_at=timezone.now())
    assert the_one(options, "C201").repair is not None
    mended(options, "C201")
    assert state_of(act) == ActState.WAITING
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED
    assert differences(options) == {}


@pytest.mark.parametrize("state", [ActState.WAITING, ActState.FAILED, ActState.RETURNED])
def test_an_act_whose_event_was_applied_is_confirmed(
    options: RunOptions, story: list[Act], state: ActState
) -> None:
    Act.objects.filter(pk=story[0].pk).update(state=state, event=None, settled_at=None)
    assert the_one(options, "C202").what == f"{state}, although its event was applied"
    mended(options, "C202")
    assert state_of(story[0]) == ActState.CONFIRMED


def test_a_waiting_act_linked_to_another_acts_event_is_sent(
    chain: ChainNode, options: RunOptions, story: list[Act]
) -> None:
    act = chain.new_record(fresh_person())
    Act.objects.filter(pk=act.pk).update(event=story[0].event_id)
    the_one(options, "C203")
    mended(options, "C203")
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED


@pytest.mark.parametrize("column", ["fields", "author", "number"])
def test_an_act_that_is_not_what_was_signed(options: RunOptions, story: list[Act], column: str) -> None:
    act = story[2]
    changed = {"fields": {**act.fields, "permissions": 3}, "author": fresh_person().address, "number": 7}
    Act.objects.filter(pk=act.pk).update(**{column: changed[column]})
    assert the_one(options, "C204").subject == f"act {act.pk} (GrantAccess)"


def test_an_act_in_a_transaction_that_is_over_goes_back_to_the_queue(
    chain: ChainNode, options: RunOptions, story: list[Act]
) -> None:
    sent = Act.objects.get(pk=story[0].pk).transaction
    assert sent is not None
    act = chain.new_record(fresh_person())
    Act.objects.filter(pk=act.pk).update(transaction=sent)
    the_one(options, "C205")
    mended(options, "C205")
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED


@pytest.mark.usefixtures("story")
def test_a_transaction_that_counts_as_mined_and_is_not(options: RunOptions) -> None:
    sender = Sender.objects.get()
    last = Transaction.objects.order_by("nonce").last()
    assert last is not None
    Transaction.objects.create(
        sender=sender, nonce=last.nonce + 1, act_count=1, state=TransactionState.MINED, block_number=1
    )
    assert the_one(options, "C301").subject == f"sender {sender.pk}, nonce {last.nonce + 1}"


@pytest.mark.usefixtures("story")
def test_a_gap_before_a_waiting_transaction(options: RunOptions) -> None:
    sender = Sender.objects.get()
    last = Transaction.objects.order_by("nonce").last()
    assert last is not None
    Transaction.objects.create(sender=sender, nonce=last.nonce + 2, act_count=1)
    assert the_one(options, "C302").subject == f"sender {sender.pk}, nonce {last.nonce + 1}"


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("C401", {"signer": "0x" + "1" * 40}),
        ("C401", {"generation": 2}),
        ("C402", {"recovery": ""}),
    ],
)
def test_a_signer_that_the_contract_contradicts(
    options: RunOptions, check: str, change: dict[str, object]
) -> None:
    SignerState.objects.update(**change)
    assert the_one(options, check).subject.startswith("signer state ")


@pytest.mark.usefixtures("story")
def test_a_signer_whose_row_is_missing(options: RunOptions) -> None:
    SignerState.objects.all().delete()
    found = differences(options)
    assert set(found) == {"C401", "C402"}
    assert found["C401"].findings[0].what.startswith("KeysReplaced has left no row")


def test_what_differs_once_was_a_race_and_is_no_finding() -> None:
    seen: list[str] = []

    def find(options: RunOptions) -> Iterator[Finding]:
        del options
        yield Finding("stays", "it differs")
        yield Finding("moves" if seen else "moved", "it differed while it was changed")
        seen.append("looked")

    (done,) = reconcile([Check("X1", "a race", find)], RunOptions(first=0))
    assert [finding.subject for finding in done.findings] == ["stays"]
    assert done.left == 1


def test_a_repair_that_fails_does_not_hold_up_the_others() -> None:
    left = {"first", "second"}

    def fail() -> str:
        raise ChainUnavailable("no answer")

    def mend() -> str:
        left.discard("second")
        return "mended"

    def find(options: RunOptions) -> Iterator[Finding]:
        del options
        yield from (Finding(one, "it differs", fail if one == "first" else mend) for one in sorted(left))

    (done,) = reconcile([Check("X1", "two repairs", find)], RunOptions(first=0), repair=True)
    assert done.failed == {"first": "ChainUnavailable"}
    assert done.repaired == {"second": "mended"}
    assert done.left == 1


def test_a_repair_that_changes_nothing_is_not_called_one() -> None:
    def find(options: RunOptions) -> Iterator[Finding]:
        del options
        yield Finding("stays", "it differs", lambda: "mended, it says")

    (done,) = reconcile([Check("X1", "a vain repair", find)], RunOptions(first=0), repair=True)
    assert done.repaired == {}
    assert done.left == 1
