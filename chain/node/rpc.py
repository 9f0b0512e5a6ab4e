"""JSON-RPC requests to the node: one, several at once, or a call of a contract. Failures are chain.errors."""

import threading
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from web3 import HTTPProvider

from chain.errors import ChainUnavailable, RpcRefused
from chain.node.answers import NONSENSE, bytes_of
from chain.support.aside import step_aside
from chain.support.retry_after import Pauses

TIMEOUT = 10.0  # seconds
_provider_lock = threading.Lock()
_providers: dict[str, HTTPProvider] = {}
_pauses = Pauses()


def request(method: str, *params: Any) -> Any:
    """One JSON-RPC call. ChainUnavailable without an answer, RpcRefused for an answer that is an error."""
    _require_no_pause()
    try:
        with step_aside():
            answer: Any = _provider().make_request(method, list(params))
    except Exception as problem:  # requests, urllib3, JSON and web3 each have their own
        raise _no_answer(problem) from problem
    return _result(answer)


def ask(method: str, *params: Any) -> Any:
    """Make a call whose answer is never nothing; ChainUnavailable where it is."""
    if (result := request(method, *params)) is None:
        raise ChainUnavailable(NONSENSE)
    return result


def batch(calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
    """Several JSON-RPC calls, (method, parameters) each, in one request; the results in the same order.

    ChainUnavailable without an answer to each of them, RpcRefused if one is an error.
    """
    if not calls:
        return []
    requests: list[Any] = [(method, list(params)) for method, params in calls]
    _require_no_pause()
    try:
        with step_aside():
            answers: Any = _provider().make_batch_request(requests)
    except Exception as problem:  # as in `request`
        raise _no_answer(problem) from problem
    if not isinstance(answers, list):
        _result(answers)  # an error, of all of them
    if len(answers) != len(calls):
        raise ChainUnavailable(NONSENSE)
    return [_result(answer) for answer in answers]


def call(
    to: str, data: bytes, *, sender: str | None = None, gas: int | None = None, at: int | str = "latest"
) -> bytes:
    """Run a call without a transaction. RpcRefused with the revert's data if it reverts."""
    return bytes_of(ask("eth_call", call_fields(to, data, sender, gas), block_tag(at)))


def block_tag(number: int | str) -> str:
    """Return a block's number as JSON-RPC writes it; "latest" and the like as they are."""
    return hex(number) if isinstance(number, int) else number


def call_fields(to: str, data: bytes, sender: str | None, gas: int | None) -> dict[str, str]:
    """Return the fields of a call that is run without a transaction."""
    fields = {"to": to, "data": "0x" + data.hex()}
    if sender is not None:
        fields["from"] = sender
    if gas is not None:
        fields["gas"] = hex(gas)
    return fields


def forget_connections() -> None:
    """Open new connections from now on: before a fork, whose processes must not share them."""
    with _provider_lock:
        _providers.clear()


def _require_no_pause() -> None:
    """Raise ChainUnavailable while the node wants to be left alone."""
    seconds = _pauses.seconds_left(settings.CHAIN_RPC_URL)
    if seconds:
        raise ChainUnavailable(f"The chain's node asks to be left alone for {seconds:.0f} more seconds.")


def _no_answer(problem: Exception) -> ChainUnavailable:
    _pauses.note(settings.CHAIN_RPC_URL, problem)
    return ChainUnavailable(f"The chain's node does not answer ({type(problem).__name__}).")


def _result(answer: Any) -> Any:
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise ChainUnavailable(NONSENSE)
    if (error := answer.get("error")) is None:
        return answer["result"]
    if not isinstance(error, dict):
        raise RpcRefused(str(error))
    data = error.get("data")
    reason = bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") else b""
    raise RpcRefused(str(error.get("message", "")), int(error.get("code", 0)), reason)


def _provider() -> HTTPProvider:
    url: str = settings.CHAIN_RPC_URL
    with _provider_lock:
        if url not in _providers:
            # No retries of the library's: our queues try again, and say meanwhile what is wrong.
            _providers[url] = HTTPProvider(
                url, request_kwargs={"timeout": TIMEOUT}, exception_retry_configuration=None
            )
        return _providers[url]
