"""An Ethereum node, and the contract's events from it."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

from .errors import Busy, Refused
from .keys import keccak256
from .web import TRIES, fetch, patiently, pause, waits

Event = dict[str, Any]
"""event, at, block, index, transaction, and its arguments by name: numbers, or bytes."""
Topics = Iterable[str | list[str] | None]
# The first four bytes of each event's topic; the event's name and arguments, topics first.
TABLE = """
b4f0fc24 AccessDenied author request reason; 92099bcc AccessGivenUp patient author scope via serial;
f6a18628 AccessGranted author grantee scope via permissions notBefore expiry epoch envelopes request serial;
6b81a753 AccessRequested patient author request via nonce envelopes; db6470bb AccessRevoked author grantee
scope via serial; 2e08433c FolderNamed author folder name serial; 2c628ae2 FolderRekeyed author folder
fromEpoch toEpoch envelopes; 6b542714 KeyPublished author version key; c3308e04 KeysReplaced author signer
generation version key envelopes; 2cbfaadf RecordAdded patient author record via folder epoch flags nonce
content description secret; 094f2991 RecordClosed patient author record nonce reason; eb210792
RecordModified patient author record via folder epoch version flags content description secret; d32b5a99
RecoveryNamed author recovery serial; 05052796 RequestWithdrawn patient author request nonce; 7d751b88
SenderBlocked author sender blocked serial"""
EVENTS = dict(" ".join(row.split()).split(" ", 1) for row in TABLE.split(";"))
ACCESS_DENIED = "0xb4f0fc249a675c6dd45efb41ce3a524754a1a626203327738f82f13d0893b888"
KEYS_REPLACED = "0xc3308e0440e156824e246151ec640ddc2cc5ed1ef5a4413472be6efee48b4495"
ADDRESSES = ("author", "patient", "grantee", "via", "signer", "sender", "recovery")
NUMBERS = (
    "folder", "epoch", "version", "flags", "serial", "permissions", "expiry", "notBefore", "fromEpoch",
    "toEpoch", "generation", "blocked",
)  # fmt: skip
ORIGIN = "0x938b5f32"
PREDECESSOR = "0x" + keccak256(b"predecessor()")[:4].hex()
LAST_BLOCK = "0x10"  # slot of a successor's storage; empty in a first contract
CAN_READ = "0x" + keccak256(b"canRead(address,address,address,bytes32)")[:4].hex()
SPAN_MAX = 1 << 24  # blocks


class Node:
    """An Ethereum node that answers JSON-RPC."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._times: dict[str, datetime] = {}
        self._lines: dict[str, list[tuple[str, int | None]]] = {}

    def ask(self, method: str, *params: Any) -> Any:
        """The answer to one request, asked again while it is refused. Raises Refused."""
        return patiently(lambda: self._once(method, *params))

    def events(self, contract: str, topics: Topics) -> Iterator[Event]:
        """The events with these topics, in order: of the contract, and of those whose place it took."""
        wanted = list(topics)
        for address, until in self._line(contract):
            for log in self._logs({"address": address, "topics": wanted}, until):
                if log["topics"] and log["topics"][0][2:10] in EVENTS:
                    yield self._decode(log)

    def _line(self, contract: str) -> list[tuple[str, int | None]]:
        """A contract and its predecessors, the oldest first, each with the last block that counts there."""
        if contract not in self._lines:
            line: list[tuple[str, int | None]] = [(contract, None)]
            while last := int(self.ask("eth_getStorageAt", line[0][0], LAST_BLOCK, "latest"), 16):
                if len(line) > 1 and last >= (line[0][1] or 0):
                    raise Refused(f"the contracts before {contract} are in no order")
                words = self.ask("eth_call", {"to": line[0][0], "data": PREDECESSOR}, "latest")
                line.insert(0, ("0x" + words[26:66], last))
            self._lines[contract] = line
        return self._lines[contract]

    def _logs(self, wanted: dict[str, Any], until: int | None) -> Iterator[dict[str, Any]]:
        """Logs by ranges of blocks: smaller ones where the node wants it so, then larger ones again."""
        first, head = 0, int(self.ask("eth_blockNumber"), 16) if until is None else until
        span, too_large, in_a_row = SPAN_MAX, 2 * SPAN_MAX, 0
        while first <= head:
            last = min(first + span - 1, head)
            logs = self._range(wanted | {"fromBlock": hex(first), "toBlock": hex(last)}, last_try=span == 1)
            if logs is None:
                too_large, span, in_a_row = span, span // 2, 0
                continue
            yield from logs
            first, in_a_row = last + 1, in_a_row + 1
            if span >= too_large:
                too_large = 2 * SPAN_MAX
            if span < SPAN_MAX and (2 * span < too_large or in_a_row >= 8):
                span, in_a_row = 2 * span, 0

    def _range(self, wanted: dict[str, Any], *, last_try: bool) -> list[dict[str, Any]] | None:
        """The logs of one range. None where it may be too large for the node."""
        patience = waits()
        for tries in range(TRIES):
            try:
                return list(self._once("eth_getLogs", wanted))
            except Refused as refused:
                busy = isinstance(refused, Busy)
                if tries == TRIES - 1 and last_try:
                    raise
                if not last_try and (not busy or tries):
                    return None
                pause(next(patience), refused if isinstance(refused, Busy) else Busy(str(refused)))
        return None

    def _once(self, method: str, *params: Any) -> Any:
        question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        try:
            with fetch(self.url, question.encode()) as body:
                answer = json.loads(body.read())
        except (HTTPException, OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise Busy(f"the node breaks off: {type(error).__name__}") from error
        if not isinstance(answer, dict) or answer.get("error") is not None:
            said = answer.get("error") if isinstance(answer, dict) else answer
            code = said.get("code") if isinstance(said, dict) else None
            words = f"the node refuses {method}: {said}"
            # Whether a range is too large or the node is busy cannot be told: providers use the same codes.
            raise (
                Refused(words) if method == "eth_getLogs" or code in (-32600, -32601, -32602) else Busy(words)
            )
        if answer.get("result") is None:
            raise Busy(f"the node does not know what {method} asks for")
        return answer["result"]

    def _decode(self, log: dict[str, Any]) -> Event:
        name, *fields = EVENTS[log["topics"][0][2:10]].split()
        data = bytes.fromhex(log["data"][2:])
        words = [bytes.fromhex(topic[2:]) for topic in log["topics"][1:]]
        words += [data[at : at + 32] for at in range(0, 32 * (len(fields) - len(words)), 32)]
        event: Event = {"event": name, "at": self._time(log)}
        for field, word in zip(fields, words, strict=True):
            number = int.from_bytes(word, "big")
            event[field] = word[12:] if field in ADDRESSES else number if field in NUMBERS else word
            if field in ("key", "secret"):  # of any length, at an offset
                event[field] = data[number + 32 :][: int.from_bytes(data[number : number + 32], "big")]
        if name == "RecordClosed":
            event["reason"] = int.from_bytes(event["reason"], "big")
        place = {"block": int(log["blockNumber"], 16), "index": int(log["logIndex"], 16)}
        return event | place | {"transaction": log["transactionHash"]}

    def _time(self, log: dict[str, Any]) -> datetime:
        block = log["blockNumber"]
        if block not in self._times:
            time = log.get("blockTimestamp") or self.ask("eth_getBlockByNumber", block, False)["timestamp"]
            self._times[block] = datetime.fromtimestamp(int(time, 16), UTC)
        return self._times[block]


def can_read(node: Node, contract: str, *fields: bytes) -> bool:
    """Ask the contract whether a grant is in force: patient, who, via (20 bytes each) and scope (32)."""
    call = CAN_READ + b"".join(field.rjust(32, b"\0") for field in fields).hex()
    return bool(int(node.ask("eth_call", {"to": contract, "data": call}, "latest"), 16))


def origin_of(node: Node, contract: str) -> bytes:
    """Chain id and address of the first contract, 52 bytes. Raises Refused where there is none."""
    words = bytes.fromhex(node.ask("eth_call", {"to": contract, "data": ORIGIN}, "latest")[2:])
    if len(words) != 64:
        raise Refused(f"there is no MedRec contract at {contract} on this chain")
    return words[:32] + words[44:]
