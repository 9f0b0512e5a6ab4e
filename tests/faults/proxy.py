"""A proxy before a node that does what bad nodes do: late, stale, empty, cut off, wrong; drawn by a seed."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.sharedctypes import Synchronized
from random import Random
from typing import Any

Call = dict[str, Any]
Answer = dict[str, Any]

_LATE = (0.1, 1.5)  # seconds
_BEHIND = (1, 6)  # blocks that a stale node lacks
_TAGGED = {"eth_call": 1, "eth_getTransactionCount": 1, "eth_getBalance": 1, "eth_getCode": 1}


class CutOff(Exception):
    """The connection is to be closed without an answer."""


class Faults:
    """What goes wrong, with the real node behind it."""

    def __init__(
        self, node_port: int, seed: int, share: "Synchronized[float]", logs_lag: "Synchronized[int]"
    ) -> None:
        self._node_port, self._random = node_port, Random(seed)
        self._share, self._logs_lag = share, logs_lag
        self._lock = threading.Lock()
        self._kinds: list[Callable[[list[Call]], tuple[int, Any]]] = [
            self._late,
            self._failing,
            self._busy,
            self._refusing,
            self._nonsense,
            self._cut_before,
            self._cut_after,
            self._empty,
            self._wrong_chain,
            self._no_logs,
            self._stale,
            self._stale,
            self._known,
            self._nonce_used,
        ]

    def answer(self, calls: list[Call]) -> tuple[int, Any]:
        """HTTP status and body (JSON answers, or bytes as they are). CutOff where there is none."""
        with self._lock:
            wrong = self._random.random() < self._share.value
            kind = self._random.choice(self._kinds)
        if self._logs_lag.value:
            kind, wrong = self._no_logs, True
        return kind(calls) if wrong else (200, self._ask(calls))

    def _ask(self, calls: list[Call]) -> list[Answer]:
        node = http.client.HTTPConnection("127.0.0.1", self._node_port, timeout=30)
        try:
            node.request("POST", "/", json.dumps(calls), {"Content-Type": "application/json"})
            answers: list[Answer] = json.loads(node.getresponse().read())
        finally:
            node.close()
        return answers

    def _draw(self, low: float, high: float) -> float:
        with self._lock:
            return self._random.uniform(low, high)

    def _late(self, calls: list[Call]) -> tuple[int, Any]:
        time.sleep(self._draw(*_LATE))
        return 200, self._ask(calls)

    def _failing(self, calls: list[Call]) -> tuple[int, Any]:
        del calls
        return 500, b"Internal Server Error"

    def _busy(self, calls: list[Call]) -> tuple[int, Any]:
        del calls
        return 429, b"Too Many Requests"

    def _refusing(self, calls: list[Call]) -> tuple[int, Any]:
        return 200, [_error(call, -32005, "limit exceeded") for call in calls]

    def _nonsense(self, calls: list[Call]) -> tuple[int, Any]:
        del calls
        return 200, b"<html>gateway</html>"

    def _cut_before(self, calls: list[Call]) -> tuple[int, Any]:
        del calls
        raise CutOff

    def _cut_after(self, calls: list[Call]) -> tuple[int, Any]:
        """The node has done it; nobody hears of it."""
        self._ask(calls)
        raise CutOff

    def _empty(self, calls: list[Call]) -> tuple[int, Any]:
        return 200, [{"jsonrpc": "2.0", "id": call["id"], "result": None} for call in calls]

    def _wrong_chain(self, calls: list[Call]) -> tuple[int, Any]:
        return 200, self._changed(calls, "eth_chainId", "0x1")

    def _no_logs(self, calls: list[Call]) -> tuple[int, Any]:
        return 200, self._changed(calls, "eth_getLogs", [])

    def _changed(self, calls: list[Call], method: str, result: Any) -> list[Answer]:
        """The node's answers, one method's replaced."""
        methods = {call["id"]: call["method"] for call in calls}
        return [
            {"jsonrpc": "2.0", "id": answer["id"], "result": result}
            if methods[answer["id"]] == method
            else answer
            for answer in self._ask(calls)
        ]

    def _known(self, calls: list[Call]) -> tuple[int, Any]:
        """It takes the bytes, and says that it had them."""
        answers = self._ask(calls)
        sent = {call["id"]: call for call in calls if call["method"] == "eth_sendRawTransaction"}
        return 200, [
            _error(sent[answer["id"]], -32000, "already known") if answer["id"] in sent else answer
            for answer in answers
        ]

    def _nonce_used(self, calls: list[Call]) -> tuple[int, Any]:
        """It takes no bytes, and says that their nonce is used."""
        if any(call["method"] == "eth_sendRawTransaction" for call in calls):
            return 200, [_error(call, -32003, "nonce too low") for call in calls]
        return 200, self._ask(calls)

    def _stale(self, calls: list[Call]) -> tuple[int, Any]:
        """A node that lacks the newest blocks, and is of one mind about it within one request."""
        head = int(self._ask([{"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber"}])[0]["result"], 16)
        last = max(head - round(self._draw(*_BEHIND)), 0)
        asked = [_as_of(call, last) for call in calls]
        return 200, [
            _without(answer, call, last) for answer, call in zip(self._ask(asked), calls, strict=True)
        ]


def serve_faults(
    port: int, node_port: int, seed: int, share: "Synchronized[float]", logs_lag: "Synchronized[int]"
) -> None:
    """Stand before a node on this machine until killed.

    Something goes wrong with the `share` of the requests. While `logs_lag`, the node knows every block and no
    log.
    """
    faults = Faults(node_port, seed, share, logs_lag)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, answer = faults.answer(body if isinstance(body, list) else [body])
            except CutOff:
                self.close_connection = True
                return
            if not isinstance(answer, bytes):
                answer = json.dumps(answer if isinstance(body, list) else answer[0]).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            with suppress(OSError):  # whoever asked was killed
                self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    _Server(("127.0.0.1", port), Door).serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Those who ask are killed while they ask: that is no news."""
        del request, client_address


def _error(call: Call, code: int, message: str) -> Answer:
    return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}}


def _number(tag: str, last: int) -> int:
    if tag in ("latest", "pending"):
        return last
    return 0 if tag == "earliest" else int(tag, 16)


def _as_of(call: Call, last: int) -> Call:
    """The call as a node answers it that has no block after the last."""
    params = list(call.get("params", []))
    method = call["method"]
    if method == "eth_getBlockByNumber" and params[0] == "latest":
        params[0] = hex(last)
    elif method in _TAGGED and len(params) > _TAGGED[method]:
        params[_TAGGED[method]] = hex(min(_number(params[_TAGGED[method]], last), last))
    elif method == "eth_getLogs":
        wanted = dict(params[0])
        wanted["toBlock"] = hex(min(_number(wanted.get("toBlock", "latest"), last), last))
        if _number(wanted.get("fromBlock", "0x0"), last) > last:
            wanted |= {"fromBlock": "0x0", "toBlock": "0x0"}
        params = [wanted]
    return call | {"params": params}


def _without(answer: Answer, call: Call, last: int) -> Answer:
    """The answer, less what is in later blocks."""
    method, result = call["method"], answer.get("result")
    number = None
    if method == "eth_blockNumber":
        return answer | {"result": hex(last)}
    if method == "eth_getBlockReceipts" and result:
        number = result[0]["blockNumber"]
    elif isinstance(result, dict):
        number = result.get("number") if method == "eth_getBlockByNumber" else result.get("blockNumber")
    return answer | {"result": None} if number is not None and int(number, 16) > last else answer
