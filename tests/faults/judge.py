"""The judge: each accepted act once on the chain, and tables that equal a replay from genesis."""

from collections import Counter
from pathlib import Path
from typing import Any

from django.db.models import Model

from accounts.models import Admission, Affiliation, PublishedKey
from chain.acts.messages import PreparedAct
from chain.contract.abi import ACT_OF_EVENT, act_types, decode_log_by_abi, function_selector
from chain.indexer.run import run_indexer
from chain.localchain.rpc import Rpc
from chain.models import (
    Act,
    ActState,
    Cursor,
    Event,
    Incarnation,
    LostAct,
    Sender,
    SignerState,
    Transaction,
)
from chain.node.deployment import domains, tenures
from chain.operations.deploy import FACTORY
from records.models import Anchor, BlockedSender, FolderState, Grant, Record, Rekey, Request, Version

# Every table that the chain alone writes: the archive of events, and what handlers make of it.
PROJECTIONS: tuple[type[Model], ...] = (
    Event,
    SignerState,
    PublishedKey,
    Admission,
    Affiliation,
    FolderState,
    Record,
    Version,
    BlockedSender,
    Rekey,
    Grant,
    Request,
    Anchor,
)
# Keys that the database makes up, and what says how far this database is.
_NOT_COMPARED = {"id", "block_id"}
_SHOWN = 3

Rows = dict[str, list[str]]


def judge_acts(port: int, accepted: Path, strange: Path) -> list[str]:
    """Return the faults of this database's acts, in words."""
    digests = set(accepted.read_text().split())
    on_chain = _digests_on_chain(Rpc(port))
    if strange.exists():
        strangers = set(strange.read_text().split())
        assert strangers & set(on_chain), "no act of a stranger came through"
        on_chain = Counter({digest: count for digest, count in on_chain.items() if digest not in strangers})
    acts = {act.digest: act for act in Act.objects.all()}
    forgotten = _forgotten(digests - set(acts), set(on_chain))
    found = [f"an accepted act is not in the outbox: {digest}" for digest in digests - set(acts) - forgotten]
    found += [f"{count} times on the chain: {digest}" for digest, count in on_chain.items() if count > 1]
    found += [f"on the chain, never accepted: {digest}" for digest in set(on_chain) - set(acts) - forgotten]
    for digest, act in acts.items():
        if (digest in on_chain) != (act.state == ActState.CONFIRMED):
            where = "on" if digest in on_chain else "not on"
            found.append(f"{act.kind} is {act.state} and {where} the chain ({act.error_code}): {digest}")
        elif digest not in on_chain and not _is_overtaken(act):
            found.append(f"{act.kind} was lost, {act.state} ({act.error_code}): {digest}")
    return found if forgotten else found + _nonces(Rpc(port))


def _forgotten(missing: set[str], on_chain: set[str]) -> set[str]:
    """Return acts that a restored database has forgotten: on the chain, or told to their authors."""
    ended = LostAct.objects.exclude(outcome=LostAct.Outcome.OPEN).exclude(outcome=LostAct.Outcome.SENT)
    told = set(ended.values_list("digest", flat=True))
    restored = Incarnation.objects.filter(reason=Incarnation.Reason.RESTORED).exists()
    return {digest for digest in missing if digest in told or digest in on_chain} if restored else set()


def count_acts() -> dict[str, int]:
    """Acts by state."""
    return dict(Counter(Act.objects.values_list("state", flat=True)))


def dump() -> Rows:
    """Every one of these tables: rows in words, sorted, without made-up keys."""
    return {
        model._meta.label: sorted(_row(row) for row in model._default_manager.all()) for model in PROJECTIONS
    }


def replay(applied: int) -> Rows:
    """Return the same rows of a database that has only ever read the chain, once it has read as far."""
    while not Cursor.objects.filter(applied__gte=applied).exists():
        run_indexer()
        problem = Cursor.objects.values_list("error", flat=True).get()
        assert not problem, problem
    return dump()


def applied_block() -> int:
    """Return the last block whose events the handlers have had."""
    return Cursor.objects.get().applied


def compare(ours: Rows, replayed: Rows) -> list[str]:
    """The differences, a line for each table and kind."""
    found = []
    for table, rows in ours.items():
        for words, surplus in (
            ("only in the tables", Counter(rows) - Counter(replayed[table])),
            ("only in the replay", Counter(replayed[table]) - Counter(rows)),
        ):
            if surplus:
                found.append(f"{table}: {surplus.total()} rows {words}, as {list(surplus)[:_SHOWN]}")
    return found


def _row(row: Model) -> str:
    fields = [field for field in row._meta.concrete_fields if field.attname not in _NOT_COMPARED]
    return " ".join(f"{field.attname}={_plain(getattr(row, field.attname))!r}" for field in fields)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _digests_on_chain(node: Rpc) -> Counter[str]:
    """Count each act on the chain, from the raw logs of each contract in its time alone."""
    found: Counter[str] = Counter()
    for tenure, domain in zip(tenures(), domains(), strict=True):
        first, last = hex(tenure.deployment.block), hex(tenure.last_block) if tenure.last_block else "latest"
        wanted = {"address": tenure.deployment.address, "fromBlock": first, "toBlock": last}
        for raw in node.call("eth_getLogs", wanted):
            topics = [bytes.fromhex(topic[2:]) for topic in raw["topics"]]
            decoded = decode_log_by_abi(topics, bytes.fromhex(raw["data"][2:]))
            if decoded is not None:
                kind = ACT_OF_EVENT[decoded[0]]
                fields = {name: decoded[1][name] for name, _ in act_types()[kind].members}
                found[PreparedAct(kind, fields).digest(domain)] += 1
    return found


def _is_overtaken(act: Act) -> bool:
    """Return whether a later act on the same slot is on the chain: the latest intent wins."""
    later = Act.objects.confirmed().filter(slot=act.slot, number__gt=act.number)
    return act.state in (ActState.RETURNED, ActState.FAILED) and later.exists()


def _nonces(node: Rpc) -> list[str]:
    """Each sender's nonces, without a gap, up to the chain's count of its transactions."""
    found = []
    for sender in Sender.objects.all():
        nonces = list(
            Transaction.objects.filter(sender=sender).order_by("nonce").values_list("nonce", flat=True)
        )
        count = int(node.call("eth_getTransactionCount", sender.address, "latest"), 16)
        nonces = sorted({*nonces, *_nonces_of_successions(node, sender.address)})
        if nonces and nonces != list(range(nonces[0], count)):
            found.append(f"nonces {nonces[:1]}..{nonces[-1:]} of {count} have a gap")
    return found


def _nonces_of_successions(node: Rpc, sender: str) -> set[int]:
    """The nonces by which a relayer key has made successors: those are not of the outbox."""
    successors = {tenure.deployment.address.lower() for tenure in tenures()[1:]}
    if not successors:
        return set()
    found = set()
    for number in range(int(node.call("eth_blockNumber"), 16) + 1):
        for sent in node.call("eth_getBlockByNumber", hex(number), True)["transactions"]:
            made = sent["to"] == FACTORY.lower() or (sent["to"] in successors and _is_copying(sent["input"]))
            if made and sent["from"] == sender.lower():
                found.add(int(sent["nonce"], 16))
    return found


def _is_copying(data: str) -> bool:
    return bytes.fromhex(data[2:10]) in (function_selector("load"), function_selector("open"))
