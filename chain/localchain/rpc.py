"""JSON-RPC to a node on this machine, over one kept-open connection."""

import http.client
import itertools
import json
from http import HTTPStatus
from typing import Any

from chain.localchain.errors import NodeGone, NodeRefused


class Rpc:
    """Requests to the node at `host`:`port`. Not for several threads at once."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout)
        self._ids = itertools.count(1)

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one request. Raises NodeGone or NodeRefused."""
        return self.batch([(method, params)])[0]

    def batch(self, requests: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """Return the results of several requests sent as one, in their order.

        Raises NodeGone or NodeRefused.
        """
        if not requests:
            return []
        body = [
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
            for method, params in requests
        ]
        answers = {answer["id"]: answer for answer in self._post(body)}
        results = []
        for request in body:
            answer = answers[request["id"]]
            if "error" in answer:
                raise NodeRefused(f"the node refused {request['method']}: {answer['error'].get('message')}")
            results.append(answer["result"])
        return results

    def _post(self, body: list[dict[str, Any]]) -> list[dict[str, Any]]:
        try:
            self._connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise NodeGone(f"the node does not answer: {error}") from error
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise NodeGone(f"the node does not answer: {answer}")
        if not isinstance(answer, list):
            raise NodeRefused(f"the node refused a batch: {answer}")
        return answer
