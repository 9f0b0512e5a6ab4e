"""A web page of somebody else, open on the machine of `make run`, does nothing to the chain."""

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from chain.keys.ecdsa import address_of_key
from tests.chain.local_chain import LocalChains, OpenChain, head, journal_lines, transfer

pytestmark = pytest.mark.browser

PATIENT = address_of_key(bytes([7] * 32))
SCRIPT = """
async ([address, patient]) => {
  const calls = [
    ["anvil_setBalance", [patient, "0x56bc75e2d63100000"]],
    ["anvil_impersonateAccount", [patient]],
    ["eth_sendTransaction", [{from: patient, to: patient, value: "0x1"}]],
    ["anvil_mine", ["0x5"]],
    ["eth_chainId", []],
  ].map(([method, params], id) => ({jsonrpc: "2.0", id, method, params}));
  const tell = (promise) => Promise.race([
    promise.catch((error) => `refused: ${error}`),
    new Promise((resolve) => setTimeout(resolve, 5000, "refused: no answer")),
  ]);
  const post = (body, type, mode) => tell(
    fetch(address, {method: "POST", body, mode, headers: {"Content-Type": type}})
      .then((answer) => answer.text()).then((text) => text || "opaque"));
  const socket = (text) => tell(new Promise((resolve, reject) => {
    const opened = new WebSocket(address.replace("http", "ws"));
    opened.onopen = () => opened.send(text);
    opened.onmessage = (message) => resolve(message.data);
    opened.onerror = () => reject(new Error("no socket"));
  }));
  const answers = [];
  for (const call of [...calls, calls]) {
    const text = JSON.stringify(call);
    answers.push(await post(text, "application/json", "cors"));
    answers.push(await post(text, "text/plain", "cors"));
    answers.push(await post(text, "text/plain", "no-cors"));
    answers.push(await socket(text));
    navigator.sendBeacon(address, new Blob([text], {type: "text/plain"}));
  }
  return answers;
}
"""


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[OpenChain]:
    with LocalChains(tmp_path / "chain") as chains:
        _, rpc = chains.start()
        transfer(rpc)
        yield rpc


@pytest.fixture
def foreign_page(tmp_path: Path) -> Iterator[str]:
    """The address of an empty page of another origin."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>A page</title>")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("port", ["public", "node"])
def test_a_foreign_page_reads_and_changes_nothing(
    chromium: Browser, chain: OpenChain, foreign_page: str, port: str, tmp_path: Path
) -> None:
    number = chain.port if port == "public" else chain.node._connection.port
    context = chromium.new_context()
    page = context.new_page()
    page.goto(foreign_page)
    answers = page.evaluate(SCRIPT, [f"http://127.0.0.1:{number}/", PATIENT])
    context.close()
    assert answers
    assert [answer for answer in answers if not answer.startswith(("refused", "opaque"))] == []
    assert int(chain.call("eth_getBalance", PATIENT, "latest"), 16) == 0
    assert int(chain.call("eth_getTransactionCount", PATIENT, "latest"), 16) == 0
    assert head(chain) == 3  # the transfer of before, and two blocks that confirm it
    assert len(journal_lines(tmp_path / "chain")) == 3
