"""The node's client: each failure one of chain.errors, whatever a node answers."""

from collections.abc import Callable

import pytest

from chain.errors import ChainUnavailable
from chain.node import client, identity, rpc

ANY = "0x" + "11" * 20


@pytest.mark.usefixtures("chain_node")
@pytest.mark.parametrize(
    "ask",
    [
        identity.chain_id,
        client.priority_fee,
        client.head,
        lambda: client.logs(0, 1),
        lambda: client.code(ANY),
        lambda: client.balance(ANY),
        lambda: client.nonce(ANY),
        lambda: client.send_raw(b"\x02"),
        lambda: rpc.call(ANY, b""),
        lambda: client.estimate_gas(ANY, b"", ANY),
    ],
)
def test_an_empty_answer_is_no_answer(ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "request", lambda *_: None)
    with pytest.raises(ChainUnavailable):
        ask()
