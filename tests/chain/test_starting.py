"""A start names lost parts, one line each, with the way out. It refuses only what would do harm."""

from pathlib import Path

import pytest
from django.core.checks import Error
from pytest_django import DjangoAssertNumQueries, Settings

from chain.errors import WrongDeployment
from chain.keys import portal_keys
from chain.models import ChainIdentity, Cursor
from chain.node import deployment as deployments
from chain.node.deployment import deployment, note_deployment
from chain.operations import start_up
from chain.operations.start_up import check_before_migrating, check_start, read_notices, refusal
from chain.status.health import Unhealthy
from chain.status.health_checks import check_chain_id, check_roles
from tests.chain_node import CHAIN_ID, ChainNode, fresh_person, own_chain, remember

OTHER = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


@pytest.fixture(autouse=True)
def bound(chain: ChainNode) -> None:
    """A database that is bound to the node's contract."""
    del chain
    note_deployment(deployment())


def messages() -> list[str]:
    """Return the messages of `manage.py check --database default`."""
    return [message.msg for message in check_start(None, databases=["default"])]


def test_a_portal_with_all_its_parts_starts_without_a_word(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    assert (refusal(), read_notices(), messages()) == ("", [], [])
    with django_assert_num_queries(0):
        assert check_start(None) == []  # only with --database


def test_a_node_of_another_chain_is_refused(tmp_path: Path) -> None:
    known = deployment()
    with own_chain(tmp_path):
        remember(known)
        assert f"The node is of chain {CHAIN_ID + 1}, but this database" in refusal()
        (problem,) = check_start(None, databases=["default"])
        assert isinstance(problem, Error)
        assert "CHAIN_RPC_URL" in problem.msg
        with pytest.raises(Unhealthy, match="the node is of another chain"):
            check_chain_id()


def test_a_node_that_is_away_is_no_reason_not_to_start(settings: Settings) -> None:
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    assert refusal() == ""
    assert read_notices() == []
    assert [message.id for message in check_start(None, databases=["default"])] == ["chain.W001"]


def test_another_contract_in_the_settings_is_refused_by_every_program(settings: Settings) -> None:
    settings.CHAIN_CONTRACT_ADDRESS = OTHER
    assert refusal().startswith(f"CHAIN_CONTRACT_ADDRESS is {OTHER}, but this database belongs to")
    assert "Set it to that one, or leave it out." in messages()[0]
    with pytest.raises(Unhealthy, match="name another contract than the database"):
        check_chain_id()
    with pytest.raises(SystemExit) as ended:
        start_up.end_if_refused(code=3)
    assert ended.value.code == 3


def test_an_upgrade_is_refused_before_its_tables_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    known = deployment()
    ChainIdentity.objects.all().delete()  # as a release has it that knew no such table
    deployments.write_deployment(known)
    check_before_migrating()
    monkeypatch.setattr("chain.operations.deploy.code_matches", lambda _: False)
    with pytest.raises(WrongDeployment) as refused:
        check_before_migrating()
    assert "is of another version of MedRec" in refused.value.explanation
    assert "is of another version of MedRec" in messages()[0]
    remember(known)


def test_keys_without_their_role_are_said(settings: Settings) -> None:
    check_roles()
    stranger = fresh_person()
    settings.CHAIN_ANCHOR_KEY = "0x" + stranger.key.hex()
    (line,) = read_notices()
    assert line.startswith(f"The anchor key here ({stranger.address}) has no role in the contract")
    assert "Put back the former key (var/keys/anchor.key)" in line
    assert messages() == [line]
    with pytest.raises(Unhealthy, match="the anchor key has no role"):
        check_roles()


def test_a_portal_without_these_keys_lacks_no_role(settings: Settings, tmp_path: Path) -> None:
    known = deployment()
    settings.VAR = tmp_path
    remember(known)
    portal_keys.make_key("relayer")
    check_roles()
    assert read_notices() == []


def test_a_lost_relayer_key_is_said_until_another_one_sends(chain: ChainNode, settings: Settings) -> None:
    chain.new_record(fresh_person())
    chain.settle()
    fresh = fresh_person()
    settings.CHAIN_RELAYER_KEYS = ["0x" + fresh.key.hex()]
    (line,) = read_notices()
    assert line.startswith("The relayer key of 0x")
    assert f"or see that {fresh.address} has money" in line
    chain.fund(fresh.address)
    chain.new_record(fresh_person())
    chain.settle()
    assert read_notices() == []


def test_an_older_chain_is_said(chain: ChainNode) -> None:
    del chain
    head = Cursor.objects.get().head
    Cursor.objects.update(seen=head + 30)
    (line,) = read_notices()
    assert line.startswith(f"The chain ends at block {head}, and block {head + 30} was read before")


def test_the_text_for_pages_names_nothing_of_the_operator_s() -> None:
    problem = WrongDeployment("CHAIN_CONTRACT_ADDRESS is wrong")
    assert "CHAIN" not in str(problem)
