"""The local chain takes reads and signed transactions, from programs and wallets, and nothing else."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.keys.ecdsa import address_of_key
from chain.localchain.errors import NodeRefused
from chain.localchain.identity import published_keys
from chain.localchain.policy import ALLOWED_METHODS, refuse_calls
from tests.chain.local_chain import LocalChains, OpenChain, head, journal_hashes, transfer, wait_for

JSON = {"Content-Type": "application/json"}
PATIENT = address_of_key(bytes([7] * 32))
HOSTILE = [
    ("anvil_impersonateAccount", [PATIENT]),
    ("anvil_setBalance", [PATIENT, hex(10**20)]),
    ("hardhat_setBalance", [PATIENT, hex(10**20)]),
    ("anvil_setCode", [PATIENT, "0x00"]),
    ("anvil_setStorageAt", [PATIENT, "0x0", "0x" + "11" * 32]),
    ("anvil_reset", []),
    ("anvil_loadState", ["0x"]),
    ("anvil_dumpState", []),
    ("anvil_mine", ["0x5"]),
    ("evm_mine", []),
    ("evm_revert", ["0x0"]),
    ("evm_snapshot", []),
    ("evm_increaseTime", [1000]),
    ("evm_setNextBlockTimestamp", [2**40]),
    ("debug_traceTransaction", ["0x" + "00" * 32]),
    ("personal_sign", ["0x00", PATIENT]),
    ("eth_accounts", []),
    ("eth_sendTransaction", [{"from": PATIENT, "to": PATIENT}]),
    ("eth_sign", [PATIENT, "0x00"]),
    ("eth_signTypedData_v4", [PATIENT, {}]),
    ("eth_sendUnsignedTransaction", [{"from": PATIENT, "to": PATIENT}]),
    ("wallet_getCapabilities", []),
    ("ots_getApiLevel", []),
    ("ETH_CHAINID", []),
    ("txpool_content", []),
]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenChain]:
    """A local chain of its own."""
    with LocalChains(tmp_path_factory.mktemp("gate") / "chain") as chains:
        _, rpc = chains.start()
        yield rpc


def post(rpc: OpenChain, body: Any, headers: dict[str, str] = JSON) -> tuple[int, Any, dict[str, str]]:
    """Status, what was answered, and the headers of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", rpc.port, timeout=30)
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    connection.request("POST", "/", text, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer, {name.lower(): value for name, value in response.getheaders()}


def call(method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}


@pytest.mark.parametrize(("method", "params"), HOSTILE)
def test_a_method_that_is_neither_read_nor_signed_transaction_is_refused(
    chain: OpenChain, method: str, params: list[Any]
) -> None:
    before = head(chain), chain.call("eth_getBalance", PATIENT, "latest")
    _, alone, _ = post(chain, call(method, *params))
    _, together, _ = post(chain, [call("eth_chainId"), call(method, *params)])
    assert alone["error"]["code"] == -32601
    assert all("error" in answer for answer in together)
    assert (head(chain), chain.call("eth_getBalance", PATIENT, "latest")) == before


def test_all_that_the_portal_and_wallets_ask_is_answered(chain: OpenChain) -> None:
    block = transfer(chain)
    assert chain.call("eth_getBlockByHash", block, True)["transactions"]
    assert int(chain.call("net_version")) == int(chain.call("eth_chainId"), 16)
    unknown = {
        method
        for method in ALLOWED_METHODS
        if "Method not found" in str(post(chain, call(method))[1].get("error", ""))
    }
    assert unknown == set(), "the node does not know these: take them from the list"


@pytest.mark.parametrize(
    "headers",
    [
        JSON | {"Origin": "http://localhost:8899"},
        JSON | {"Origin": "http://127.0.0.1:8000"},
        JSON | {"Origin": "https://evil.example"},
        JSON | {"Origin": "null"},
        JSON | {"Origin": ""},
        JSON | {"Origin": "file://"},
        JSON | {"Origin": "chrome-extensions://x"},
        JSON | {"Origin": "http://[bad"},
        JSON | {"Host": "evil.example:8645"},
        JSON | {"Host": "127.0.0.1.evil.example"},
        JSON | {"Host": "[bad"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_web_page_is_refused_and_gets_no_cors_header(chain: OpenChain, headers: dict[str, str]) -> None:
    status, answer, given = post(chain, call("eth_chainId"), headers)
    assert status == 403
    assert set(answer) == {"error"}
    assert not [name for name in given if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [JSON | {"Origin": "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn"}, JSON | {"Host": "localhost"}],
)
def test_a_wallet_is_answered(chain: OpenChain, headers: dict[str, str]) -> None:
    status, answer, _ = post(chain, call("eth_chainId"), headers)
    assert (status, "result" in answer) == (200, True)


@pytest.mark.parametrize("body", ["", "x", "[" * 100_000, b"\xff\xfe", "1" * 5_000])
def test_what_is_no_json_is_refused(chain: OpenChain, body: str | bytes) -> None:
    status, answer, _ = post(chain, body)
    assert status == 400
    assert answer == {"error": "This is not JSON."}


@pytest.mark.parametrize(
    "body",
    [[], 1, "x", None, {}, {"method": 1}, [1], [call("eth_chainId"), None], {"method": ["eth_chainId"]}],
)
def test_what_is_no_request_is_refused(body: Any) -> None:
    refusal = refuse_calls(body)
    assert refusal is not None
    assert "error" in (refusal[0] if isinstance(refusal, list) else refusal)


def test_a_name_that_stands_twice_is_read_once(chain: OpenChain) -> None:
    hidden = '{"jsonrpc":"2.0","id":1,"method":"anvil_mine","method":"eth_chainId","params":[]}'
    before = head(chain)
    _, answer, _ = post(chain, hidden)
    assert "result" in answer
    assert head(chain) == before


def test_the_node_is_not_on_the_usual_address(chain: OpenChain) -> None:
    connection = chain.node._connection
    assert connection.host != "127.0.0.1"
    for host in ("127.0.0.1", "localhost"):
        with socket.socket() as probe:
            assert probe.connect_ex((host, connection.port)) != 0


def test_nobody_s_published_key_has_money_and_no_account_is_unlocked(chain: OpenChain) -> None:
    for key in published_keys():
        assert int(chain.call("eth_getBalance", address_of_key(key), "latest"), 16) == 0
    assert chain.node.call("eth_accounts") == []


def test_the_funder_s_key_is_for_the_owner_s_eyes(tmp_path: Path) -> None:
    with LocalChains(tmp_path / "chain") as chains:
        chains.start()
        assert (tmp_path / "chain" / "funder.key").stat().st_mode & 0o077 == 0


def test_a_chain_of_before_keeps_its_blocks_and_its_accounts(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    folder.mkdir()
    made = {"chain_id": 1_234_567_890, "genesis_time": 1_790_000_000, "gas_limit": 60_000_000}
    (folder / "chain.json").write_text(json.dumps(made))
    key = published_keys()[0]
    with LocalChains(folder) as chains:
        process, rpc = chains.start()
        sent = rpc.send(key, PATIENT, value=5)
        wait_for(lambda: rpc.call("eth_getTransactionReceipt", sent))
        wait_for(lambda: head(rpc) == len(journal_hashes(folder)))
        process.kill()
        process.wait()
        _, rpc = chains.start()
        assert rpc.call("eth_getTransactionReceipt", sent)["status"] == "0x1"
        assert int(rpc.call("eth_getBalance", PATIENT, "latest"), 16) == 5
        with pytest.raises(NodeRefused):
            rpc.call("eth_sendTransaction", {"from": address_of_key(key), "to": PATIENT})
