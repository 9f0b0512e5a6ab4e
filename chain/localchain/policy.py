"""What the local chain's public port takes: what the portal and wallets need, and nothing from a web page.

Anvil obeys anybody who reaches it: it acts as any account (`anvil_impersonateAccount`) and sets balances,
code and time. So only reads and signed transactions are passed on to it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

ALLOWED_METHODS = frozenset(
    {
        "eth_blobBaseFee",
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_createAccessList",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getBlockTransactionCountByHash",
        "eth_getBlockTransactionCountByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getRawTransactionByHash",
        "eth_getStorageAt",
        "eth_getTransactionByBlockHashAndIndex",
        "eth_getTransactionByBlockNumberAndIndex",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_sendRawTransaction",
        "eth_syncing",
        "net_listening",
        "net_version",
        "web3_clientVersion",
        "web3_sha3",
    }
)
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
EXTENSIONS = frozenset({"chrome-extension", "moz-extension", "safari-web-extension"})  # where wallets live

INVALID_REQUEST = -32600  # JSON-RPC 2.0, section 5.1
METHOD_NOT_FOUND = -32601


def refuse_sender(headers: Mapping[str, str]) -> str:
    """Return why a request with these HTTP headers is refused, or "".

    A browser adds `Origin` to every POST of a page. The name in `Host` is the page's own where its domain was
    pointed at this machine (DNS rebinding).
    """
    origin = headers.get("Origin")
    if origin is not None and origin.partition("://")[0] not in EXTENSIONS:
        return "Web pages may not use this chain."
    if _host_name(headers.get("Host", "")) not in LOCAL_HOSTS:
        return "Use the address 127.0.0.1 for this chain."
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        return "Send JSON-RPC requests as application/json."
    return ""


def refuse_calls(body: Any) -> dict[str, Any] | list[dict[str, Any]] | None:
    """Return the JSON-RPC answer that refuses a request or a batch, or None when it may be passed on.

    A batch with one call that is refused is refused as a whole.
    """
    if not isinstance(body, list):
        return _refuse_call(body)
    if not body:
        return _error(None, INVALID_REQUEST, "The batch is empty.")
    answers = [_refuse_call(call) for call in body]
    if not any(answers):
        return None
    return [
        answer or _error(call.get("id"), INVALID_REQUEST, "Another call of this batch is refused.")
        for call, answer in zip(body, answers, strict=True)
    ]


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _refuse_call(call: Any) -> dict[str, Any] | None:
    if not isinstance(call, dict) or not isinstance(call.get("method"), str):
        return _error(None, INVALID_REQUEST, "This is not a JSON-RPC request.")
    if call["method"] in ALLOWED_METHODS:
        return None
    return _error(call.get("id"), METHOD_NOT_FOUND, "This chain does not take this method.")


def _error(call_id: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "error": {"code": code, "message": message}}
