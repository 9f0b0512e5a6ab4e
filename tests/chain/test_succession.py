"""A successor contract: the state is copied word by word, the former one is frozen, everybody goes on."""

import gzip
import io
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from chain.acts.messages import ZERO_ADDRESS, folder_scope, sign_act
from chain.contract.abi import ACT_OF_EVENT, artifact, encode_call, successor_artifact
from chain.errors import ActConflict, ChainError
from chain.indexer.resync import resync
from chain.keys import portal_keys
from chain.keys.ecdsa import address_of_key
from chain.models import Act, ActState, Block, ChainIdentity, Cursor, Event
from chain.node import client, identity
from chain.node.deployment import (
    Deployment,
    deployment,
    deployment_path,
    domains,
    first_block,
    forget_deployment,
    note_deployment,
    origin,
    read_deployment,
    tenures,
    write_deployment,
)
from chain.node.ranges import RangeReader
from chain.operations import succession
from chain.operations.deploy import send_and_wait
from chain.outbox.submit import resubmit_act
from tests.chain.every_act import Cast, tables, tell
from tests.chain_node import ChainNode, fresh_person, own_chain, state_of
from tests.faults.judge import dump

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(tmp_path: Path, settings: Settings) -> Iterator[ChainNode]:
    """A chain that is read from the contract's first block, and its database bound to the contract."""
    settings.CHAIN_CONFIRMATIONS = 1
    with own_chain(tmp_path) as node:
        note_deployment(deployment())
        yield node


@pytest.fixture
def cast(chain: ChainNode) -> Cast:
    """People between whom every kind of act but the last ones has happened."""
    people = Cast()
    people.open_up(chain)
    chain.settle()
    people.share()
    chain.settle()
    return people


def succeed() -> Deployment:
    return succession.succeed(lambda _: None)


def getters(cast: Cast) -> list[object]:
    """Return the answers of the contract in use about the people."""
    patient, doctor, clinic = cast.patient.address, cast.doctor.address, cast.institution.address
    asked = [("signerOf", one) for one in (patient, doctor, clinic)]
    asked += [("keyOf", one) for one in (patient, doctor, clinic)]
    answers: list[object] = [client.view(*one) for one in asked]
    answers += [client.view("recoveryOf", patient), client.view("institutionOf", clinic)]
    answers += [client.view("affiliationOf", clinic, doctor), client.view("recordOf", cast.record)]
    answers += [client.view("folderOf", patient, folder) for folder in (0, 1, 2)]
    answers += [client.view("blockedOf", patient, cast.friend.address)]
    for event in Event.objects.named("AccessRequested"):
        answers.append(client.view("requestOf", event["request"]))
    for who, via in ((doctor, clinic), (clinic, clinic), (cast.friend.address, ZERO_ADDRESS)):
        answers.append(client.view("grantOf", patient, who, via, folder_scope(1)))
        answers.append(client.view("canRead", patient, who, via, folder_scope(1)))
        answers.append(client.view("canWrite", patient, who, via, folder_scope(1)))
    return answers


def test_accounts_grants_and_records_go_on_under_the_successor(chain: ChainNode, cast: Cast) -> None:
    former, first, before, events = deployment(), origin(), getters(cast), Event.objects.count()
    made = succeed()
    assert (deployment(), read_deployment()) == (made, made)
    assert made.address != former.address
    assert origin() == first == (former.chain_id, former.address)
    assert getters(cast) == before
    assert identity.predecessor_of(made.address)[0] == former.address
    assert [tenure.last_block for tenure in tenures()] == [made.block - 1, None]
    admission = client.view("ADMISSION_ROLE")[0]
    assert client.view("hasRole", admission, address_of_key(portal_keys.admission_key())) == (True,)

    revoked = cast.revoke(cast.doctor, 2, via=cast.institution.address)
    later, added = cast.modify(4), chain.new_record(cast.patient, folder=2)
    asked = cast.ask()
    chain.settle()
    cast.part()
    chain.settle()
    assert {state_of(act) for act in (revoked, later, added, asked)} == {ActState.CONFIRMED}
    assert not client.view(
        "canRead", cast.patient.address, cast.doctor.address, ZERO_ADDRESS, folder_scope(1)
    )[0]
    assert Event.objects.count() > events
    assert len(domains()) == 2


def storage_of(chain: ChainNode, address: str) -> dict[int, int]:
    """Every word that a contract keeps."""
    state = json.loads(gzip.decompress(bytes.fromhex(chain.rpc("anvil_dumpState")[2:])))
    accounts = {account.lower(): kept for account, kept in state["accounts"].items()}
    words = accounts[address.lower()]["storage"]
    return {int(slot, 16): int(word, 16) for slot, word in words.items() if int(word, 16)}


def test_every_word_is_copied_whatever_act_wrote_it(chain: ChainNode) -> None:
    former, stranger = deployment(), fresh_person()
    tell(chain)
    stranger.submit("BlockSender", sender=former.address, blocked=True, serial=1)  # and published no key
    chain.settle()
    assert set(Event.objects.values_list("name", flat=True)) == set(ACT_OF_EVENT)
    before = storage_of(chain, former.address)
    made = succeed()
    last_block = successor_artifact()["storage"]["_lastBlock"]
    assert storage_of(chain, made.address) == before | {last_block: made.block - 1}
    storage = artifact()["storage"].items()
    assert all(successor_artifact()["storage"][name] == slot for name, slot in storage)


def test_the_archive_of_both_contracts_is_made_anew_from_the_chain(chain: ChainNode, cast: Cast) -> None:
    succeed()
    cast.part()
    chain.settle()
    before = tables()
    assert RangeReader(1_000).read(first_block(), client.head()).last == tenures()[0].last_block
    resync(lambda *_: None)
    assert tables() == before
    out = io.StringIO()
    call_command("reconcile", "C1", "C2", "C3", "C4", "R3", patience=0, stdout=out)
    assert "no difference" in out.getvalue()


@pytest.mark.parametrize("names", ["file", "setting"])
def test_a_new_database_learns_of_both_contracts_from_the_chain(
    chain: ChainNode, cast: Cast, settings: Settings, names: str
) -> None:
    succeed()
    made = succeed()  # the second successor
    cast.part()
    chain.settle()
    line, before = [(one.deployment.address, one.last_block) for one in tenures()], dump()
    assert len(line) == 3
    for model in (ChainIdentity, Act, Event, Cursor, Block):
        model.objects.all().delete()
    if names == "setting":
        deployment_path().unlink()
        settings.CHAIN_CONTRACT_ADDRESS = made.address
    forget_deployment()
    assert [(one.deployment.address, one.last_block) for one in tenures()] == line
    resync(lambda *_: None)
    assert dump() == before


def test_the_former_contract_is_frozen_for_the_portal(chain: ChainNode, cast: Cast) -> None:
    former, domain_before = deployment(), domains()[-1]
    made = succeed()
    events = Event.objects.count()
    act = cast.patient.prepare("NameFolder", folder=5, name=secrets.token_bytes(32), serial=1)
    chain.fund(cast.patient.address)
    send_and_wait(cast.patient.key, former.address, act.calldata(b""), gas=300_000)
    old_signature = sign_act(act, cast.patient.key).signature
    chain.mine(3)
    chain.sync()
    assert Event.objects.count() == events
    assert identity.view_at(made.address, "folderOf", cast.patient.address, 5) == (0, 0)
    assert act.digest(domain_before) != act.digest(domains()[-1])
    assert old_signature  # signed for the successor: the domain is the contract in use


def test_nobody_acts_on_a_successor_before_it_opens_or_loads_it_after(chain: ChainNode, cast: Cast) -> None:
    former = deployment()
    address = succession._put(former)
    act = cast.patient.prepare("NameFolder", folder=5, name=secrets.token_bytes(32), serial=1)
    chain.fund(cast.patient.address)
    for data in (act.calldata(b""), encode_call("load", [1, 2]), encode_call("open", 1)):
        with pytest.raises(ChainError, match="failed"):
            send_and_wait(cast.patient.key, address, data, gas=300_000)
    assert identity.predecessor_of(address) == (former.address, 0)
    with pytest.raises(ChainError, match="no open successor"):
        succession.join(address, lambda _: None)
    succeed()
    for data in (encode_call("load", [1, 2]), encode_call("open", 1)):
        with pytest.raises(ChainError, match="failed"):
            send_and_wait(portal_keys.relayer_keys()[0], address, data, gas=300_000)


def test_killed_between_any_two_steps_it_goes_on(
    chain: ChainNode, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    del chain
    former, before, real = deployment(), getters(cast), succession._send
    monkeypatch.setattr(succession, "_WORDS_A_TRANSACTION", 5)
    sent = 0

    def killed(address: str, data: bytes) -> None:
        nonlocal sent
        sent += 1
        if sent % 3 == 0:
            raise KeyboardInterrupt
        real(address, data)

    monkeypatch.setattr(succession, "_send", killed)
    for _ in range(20):
        try:
            made = succeed()
            break
        except KeyboardInterrupt:
            assert deployment() == former
    assert deployment() == made
    assert getters(cast) == before


def test_what_happens_meanwhile_is_copied_too(
    chain: ChainNode, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.fund(cast.patient.address)
    real, former = succession._send, deployment()
    act = cast.patient.prepare("NameFolder", folder=7, name=secrets.token_bytes(32), serial=1)

    def with_company(address: str, data: bytes) -> None:
        monkeypatch.setattr(succession, "_send", real)
        send_and_wait(cast.patient.key, former.address, act.calldata(b""), gas=300_000)
        real(address, data)

    monkeypatch.setattr(succession, "_send", with_company)
    succeed()
    assert client.view("folderOf", cast.patient.address, 7) == (0, 1)
    assert Event.objects.named("FolderNamed").filter(args__folder=7).exists()


def test_what_waits_is_confirmed_first(chain: ChainNode, cast: Cast) -> None:
    cast.revoke(cast.doctor, 2, via=cast.institution.address)
    with pytest.raises(ChainError, match="1 acts or transactions are under way"):
        succeed()
    chain.settle()
    succeed()


def test_another_portal_joins_and_what_it_signed_for_the_former_comes_back(
    chain: ChainNode, cast: Cast
) -> None:
    former, made = deployment(), succeed()
    _be_another_portal(former)
    chain.sync()
    waiting = cast.revoke(cast.doctor, 2, via=cast.institution.address)
    assert succession.join(made.address, lambda _: None) == made
    assert state_of(waiting) == ActState.RETURNED
    with pytest.raises(ActConflict):
        resubmit_act(waiting)
    again = cast.revoke(cast.doctor, 2, via=cast.institution.address)
    chain.settle()
    assert state_of(again) == ActState.CONFIRMED


def test_a_successor_with_a_word_that_nobody_wrote_is_not_joined(chain: ChainNode, cast: Cast) -> None:
    former = deployment()
    address = succession._put(former)
    send_and_wait(portal_keys.relayer_keys()[0], address, encode_call("load", [12345, 1]), gas=300_000)
    with pytest.raises(ChainError, match="differs from its predecessor in 1 words"):
        succeed()
    assert deployment() == former
    cast.revoke(cast.doctor, 2, via=cast.institution.address)
    chain.settle()


def test_the_command_waits_for_a_stopped_portal_and_says_what_it_does(
    chain: ChainNode, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cast
    monkeypatch.setattr("chain.management.commands.succeed_contract._SILENCE", 0)
    out = io.StringIO()
    call_command("succeed_contract", stdout=out)
    assert "The successor is 0x" in out.getvalue()
    assert "In use from block" in out.getvalue()
    with pytest.raises(CommandError, match="--join"):
        call_command("succeed_contract", "--join", "nobody")
    monkeypatch.setattr("time.sleep", lambda _: Cursor.objects.update(head=chain.node.port))
    with pytest.raises(CommandError, match="The portal still runs"):
        call_command("succeed_contract")


def _be_another_portal(former: Deployment) -> None:
    """A database that has read the same chain, and knows of no successor."""
    ChainIdentity.objects.all().delete()
    Event.objects.all().delete()
    Cursor.objects.all().delete()
    write_deployment(former)
    note_deployment(former)
