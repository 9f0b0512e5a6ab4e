"""A database belongs to one contract on one chain: nothing else is used, signed for or deployed instead."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, Settings

from chain.acts.messages import sign_act
from chain.errors import ChainUnavailable, WrongDeployment
from chain.keys import portal_keys
from chain.models import ChainIdentity
from chain.node import client
from chain.node import deployment as deployments
from chain.node.deployment import (
    Deployment,
    deployment,
    deployment_path,
    domain,
    known_deployment,
    note_deployment,
    read_deployment,
)
from tests.chain_node import CHAIN_ID, ChainNode, fresh_person, own_chain, remember

OTHER = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def refused(use: Callable[[], object]) -> str:
    """Return the operator's text of a refusal."""
    with pytest.raises(WrongDeployment) as problem:
        use()
    return problem.value.explanation


@pytest.fixture
def contract(chain_node: ChainNode, db: None) -> Iterator[Deployment]:
    """The contract of the node; the database is not bound yet."""
    del chain_node, db
    known = deployment()
    ChainIdentity.objects.all().delete()
    deployments.forget_deployment()
    yield known
    remember(known)


@pytest.fixture
def bound(contract: Deployment) -> Deployment:
    """The contract that the database is bound to."""
    return note_deployment(contract)


def test_a_data_folder_of_before_is_bound_to_its_file_at_the_first_use(contract: Deployment) -> None:
    assert known_deployment() is None
    assert deployment() == contract
    assert known_deployment() == contract


@pytest.mark.usefixtures("bound")
def test_the_database_needs_neither_file_nor_setting(contract: Deployment) -> None:
    deployment_path().unlink()
    assert deployment() == contract
    assert call_command("deploy_contract") is None
    assert read_deployment() == contract


@pytest.mark.usefixtures("bound")
def test_a_file_of_another_contract_is_refused_and_signs_nothing(contract: Deployment) -> None:
    person = fresh_person()
    act = person.prepare("RevokeAccess", grantee=OTHER, via=OTHER, scope="0x" + "0" * 64, serial=1)
    deployment_path().write_text(json.dumps(asdict(replace(contract, address=OTHER))))
    for use in (deployment, domain, lambda: sign_act(act, person.key)):
        line = refused(use)
        assert f"names contract {OTHER}" in line
        assert "Put back" in line
    with pytest.raises(CommandError, match="this database belongs to"):
        call_command("deploy_contract")


@pytest.mark.usefixtures("bound")
def test_a_setting_of_another_contract_is_refused(settings: Settings) -> None:
    settings.CHAIN_CONTRACT_ADDRESS = OTHER
    assert refused(deployment).startswith(f"CHAIN_CONTRACT_ADDRESS is {OTHER}")


@pytest.mark.usefixtures("bound")
def test_a_damaged_file_is_said() -> None:
    deployment_path().write_text("{")
    assert "is damaged. Remove it" in refused(deployment)


def test_a_wrong_chain_id_is_neither_kept_nor_signed_for(
    contract: Deployment, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAIN_CONTRACT_ADDRESS = contract.address
    deployment_path().unlink()
    with monkeypatch.context() as lie:
        lie.setattr("chain.node.identity.chain_id", lambda: 1)
        with pytest.raises(ChainUnavailable, match="of chain 1, its contract"):
            domain()
        assert not ChainIdentity.objects.exists()
    assert domain().chain_id == contract.chain_id
    monkeypatch.setattr("chain.node.identity.chain_id", lambda: 1)
    deployments.forget_deployment()
    assert domain().chain_id == contract.chain_id


@pytest.mark.django_db(transaction=True)
def test_what_a_rolled_back_transaction_has_written_is_not_remembered(
    chain_node: ChainNode, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    del chain_node
    known = deployment()
    ChainIdentity.objects.all().delete()
    deployments.forget_deployment()
    with transaction.atomic():
        deployment()
        transaction.set_rollback(True)
    assert known_deployment() is None
    assert deployment() == known
    with django_assert_num_queries(0):
        assert deployment() == known
    assert known_deployment() == known


def test_one_contract_alone_is_in_use(bound: Deployment) -> None:
    assert note_deployment(replace(bound, address=OTHER)) == bound
    assert ChainIdentity.objects.count() == 1


def test_no_second_contract_is_deployed_where_the_chain_was_lost(bound: Deployment, tmp_path: Path) -> None:
    with own_chain(tmp_path) as other:
        deployment_path().unlink()
        with pytest.raises(CommandError, match=rf"chain {CHAIN_ID + 1}, but this.*Put back.*var/chain"):
            call_command("deploy_contract", fund=True)
        assert not (tmp_path / "chain" / "funder.key").exists()  # and no money was moved
        other.rpc("anvil_setChainId", CHAIN_ID)
        with pytest.raises(CommandError, match=rf"no contract at {bound.address}.*Put back"):
            call_command("deploy_contract")
        assert not deployment_path().exists()


def test_no_second_contract_is_deployed_where_the_keys_were_lost(
    bound: Deployment, settings: Settings, tmp_path: Path
) -> None:
    settings.VAR = tmp_path
    for name in portal_keys.NAMES:
        portal_keys.make_key(name)
    height = client.head().number
    call_command("deploy_contract")
    assert (read_deployment(), client.head().number) == (bound, height)


def test_the_very_same_contract_comes_back_on_its_chain(bound: Deployment, chain_node: ChainNode) -> None:
    before = chain_node.rpc("evm_snapshot")
    chain_node.rpc("anvil_setCode", bound.address, "0x")
    chain_node.rpc("anvil_setNonce", bound.address, "0x0")
    try:
        call_command("deploy_contract")
        assert client.code(bound.address)
    finally:
        chain_node.rpc("evm_revert", before)
