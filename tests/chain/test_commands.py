"""make_keys, deploy_contract, sync_chain, relay_acts. Settings that are not right."""

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from chain.contract.abi import code_matches
from chain.errors import MissingKey, NotDeployed
from chain.keys import portal_keys
from chain.keys.ecdsa import address_of_key
from chain.keys.secret_files import write_once
from chain.localchain.identity import make_funder_key, published_keys
from chain.models import Act, ActState
from chain.node import client
from chain.node.deployment import Deployment, deployment, deployment_path, origin, write_deployment
from chain.operations.deploy import FACTORY
from chain.operations.setting_checks import check_settings
from tests.chain_node import ChainNode, fresh_person, own_chain, remember


def run(name: str, *args: str) -> str:
    """Return the output of a command."""
    out = StringIO()
    call_command(name, *args, stdout=out)
    return out.getvalue()


def test_keys_are_made_once_and_for_the_owner_s_eyes(settings: Settings, tmp_path: Path) -> None:
    settings.VAR = tmp_path
    with pytest.raises(MissingKey, match="make_keys"):
        portal_keys.relayer_keys()
    assert run("make_keys").count("Made:") == len(portal_keys.NAMES)
    kept = {name: portal_keys.key_path(name).read_text() for name in portal_keys.NAMES}
    assert len(set(kept.values())) == len(portal_keys.NAMES)
    assert stat.S_IMODE(portal_keys.key_path("relayer").stat().st_mode) == 0o600
    assert run("make_keys").count("There already:") == len(portal_keys.NAMES)
    assert {name: portal_keys.key_path(name).read_text() for name in portal_keys.NAMES} == kept


def test_a_secret_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys" / "one.key"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.link", killed)
        with pytest.raises(KeyboardInterrupt):
            write_once(path, "first")
    assert not path.exists()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: write_once(path, f"secret {number}"), range(8)))
    assert sum(made) == 1
    assert path.read_text() == f"secret {made.index(True)}"
    assert [kept.name for kept in path.parent.iterdir()] == ["one.key"]


def test_a_key_of_the_settings_goes_before_the_file_and_a_bad_one_is_not_repeated(settings: Settings) -> None:
    person = fresh_person()
    settings.CHAIN_ADMISSION_KEY = "0x" + person.key.hex()
    assert portal_keys.admission_key() == person.key
    settings.CHAIN_ADMISSION_KEY = "0x" + "ff" * 32
    with pytest.raises(MissingKey) as refused:
        portal_keys.admission_key()
    assert "ffff" not in str(refused.value)


@pytest.fixture
def first_use(chain_node: ChainNode, db: None) -> Iterator[Deployment]:
    """A database that knows no contract yet, and no contract.json. The contract that the node has."""
    del chain_node, db
    known = deployment()
    deployment_path().unlink()
    yield known
    remember(known)


def test_deploying_again_changes_nothing(chain_node: ChainNode, first_use: Deployment) -> None:
    height = client.head().number
    with pytest.raises(NotDeployed):
        deployment()
    for _ in range(2):
        assert f"In use: contract {first_use.address}" in run("deploy_contract")
    assert (deployment().address, origin()) == (
        first_use.address,
        (chain_node_id(chain_node), first_use.address),
    )
    assert client.head().number == height
    assert code_matches(client.code(first_use.address))
    assert not code_matches(client.code(first_use.address)[:-1])


def chain_node_id(node: ChainNode) -> int:
    """The chain id the node itself says."""
    return int(node.rpc("eth_chainId"), 16)


def test_a_new_database_beside_a_used_contract_is_said(first_use: Deployment) -> None:
    write_deployment(first_use)
    assert "This database is new" in run("deploy_contract")
    assert "This database is new" not in run("deploy_contract")


@pytest.mark.django_db
def test_a_new_relayer_is_funded_when_asked(tmp_path: Path, settings: Settings) -> None:
    person = fresh_person()
    with own_chain(tmp_path):
        settings.CHAIN_RELAYER_KEYS = ["0x" + person.key.hex()]
        assert client.balance(person.address) == 0
        assert f"Funded: {person.address}" in run("deploy_contract", "--fund")
        assert client.balance(person.address) >= 100 * 10**18
        assert "Funded" not in run("deploy_contract", "--fund")


@pytest.mark.django_db
def test_no_account_with_a_published_key_keeps_money(tmp_path: Path) -> None:
    with own_chain(tmp_path):
        published = [address_of_key(key) for key in published_keys()]
        assert all(client.balance(address) > 10**18 for address in published[1:])
        run("deploy_contract", "--fund")
        assert all(client.balance(address) < 10**16 for address in published)
        assert client.balance(address_of_key(make_funder_key(tmp_path / "chain"))) > 10**22


def test_a_contract_of_another_version_is_not_left_for_a_new_one(first_use: Deployment) -> None:
    write_deployment(replace(first_use, address=FACTORY, origin_contract=FACTORY))
    with pytest.raises(CommandError, match="another version of MedRec"):
        run("deploy_contract")
    assert deployment().address == FACTORY


@pytest.mark.django_db
def test_deploying_without_a_node_says_so(settings: Settings) -> None:
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="does not answer"):
        run("deploy_contract")


def test_the_contract_can_come_from_the_settings_alone(first_use: Deployment, settings: Settings) -> None:
    settings.CHAIN_CONTRACT_ADDRESS = first_use.address
    assert (deployment().chain_id, deployment().address) == (first_use.chain_id, first_use.address)
    assert origin() == (first_use.origin_chain, first_use.origin_contract)


def test_roles_are_held_by_the_keys_and_the_relayer_has_none(chain_node: ChainNode) -> None:
    del chain_node
    (admission,) = client.view("ADMISSION_ROLE")
    relayer = address_of_key(portal_keys.relayer_keys()[0])
    assert client.view("hasRole", admission, address_of_key(portal_keys.admission_key())) == (True,)
    assert client.view("hasRole", admission, relayer) == (False,)
    assert client.view("defaultAdmin")[0] == address_of_key(portal_keys.admin_key()).lower()


def test_the_sending_and_reading_commands_do_what_the_tasks_do(chain: ChainNode) -> None:
    act = chain.new_record(fresh_person())
    assert "1 acts wait" in run("relay_acts")
    chain.mine(2)
    assert f"Head {client.head().number}" in run("sync_chain")
    assert Act.objects.get(pk=act.pk).state == ActState.CONFIRMED


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("CHAIN_RPC_URL", "localhost:8545", "E001"),
        ("CHAIN_CONFIRMATIONS", 0, "E002"),
        ("CHAIN_BATCH_BYTES", 131_072, "E003"),
        ("CHAIN_BATCH_GAS", 20_000_000, "E004"),
        ("CHAIN_BATCH_WAIT", -1, "E005"),
        ("CHAIN_BLOCK_RANGE_MAX", 0, "E006"),
        ("CHAIN_MAX_FEE_GWEI", 0, "E007"),
        ("CHAIN_STUCK_BLOCKS", 0, "E008"),
        ("CHAIN_CONTRACT_ADDRESS", "0x" + "aB" * 20, "E009"),
        ("CHAIN_RELAYER_KEYS", ["0x12"], "E010"),
    ],
)
def test_a_bad_setting_is_named(settings: Settings, name: str, value: object, number: str) -> None:
    assert check_settings(None) == []
    setattr(settings, name, value)
    (problem,) = check_settings(None)
    assert problem.id == f"chain.{number}"
    assert name in problem.msg
