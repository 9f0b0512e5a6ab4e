"""The contract, asked directly: what the chain itself says, whatever the portal says."""

import json
import urllib.request

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.story.portal import StoryPortal

FIELDS = "(address,address,address,bytes32,uint16,uint32,uint32,uint8,bytes32,bytes32,bytes)"


class Refused(Exception):
    """A call that the contract refuses. The message is the node's error, as JSON."""


class Ledger:
    """Read-only calls to the portal's contract."""

    def __init__(self, portal: StoryPortal) -> None:
        local = f"http://127.0.0.1:{portal.settings['LOCALCHAIN_PORT']}"
        self._url = portal.settings.get("CHAIN_RPC_URL", local)
        self._contract = json.loads((portal.var / "chain" / "contract.json").read_text())["address"]

    def allows(self, question: str, patient: str, who: str, via: str, folder: int) -> bool:
        """canRead or canWrite."""
        types = ["address", "address", "address", "bytes32"]
        values = [patient, who, via, folder.to_bytes(32, "big")]
        answer = self._call(f"{question}(address,address,address,bytes32)", encode(types, values))
        return int(answer, 16) == 1

    def refusal_of_modify(self, author: str, patient: str, via: str, record: str, version: int) -> str:
        """Return the refusal of a version sent straight to the contract, or ""."""
        digest, wrapped = bytes(31) + b"\1", bytes(40)
        raw = bytes.fromhex(record.removeprefix("0x"))
        act = (author, patient, via, raw, 1, 0, version, 0, digest, digest, wrapped)
        try:
            self._call(f"modifyRecord({FIELDS},bytes)", encode([FIELDS, "bytes"], [act, b""]), author)
        except Refused as refused:
            return (
                "NoWriteAccess" if keccak(text="NoWriteAccess()")[:4].hex() in str(refused) else str(refused)
            )
        return ""

    def _call(self, signature: str, arguments: bytes, sender: str | None = None) -> str:
        data = "0x" + (keccak(text=signature)[:4] + arguments).hex()
        call = {"to": self._contract, "data": data} | ({"from": sender} if sender else {})
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url, json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as found:
            answer = json.load(found)
        if "error" in answer:
            raise Refused(json.dumps(answer["error"]))  # nodes put the reason in its message or its data
        return str(answer["result"])
